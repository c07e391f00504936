// G5: distribution to many agents, and agents who are never idle while somebody waits.

import { Centre } from '../lib/centre.mjs';
import { meter } from '../lib/host.mjs';
import { Callers, Phones } from '../lib/load.mjs';
import { atReference, relayUs } from '../lib/reference.mjs';
import { percentile } from '../../e2e/lib/wait.mjs';

/** Runs callers against agents who talk for `talk_ms` and gives everything that was seen. */
async function distribute({ agents, talk_ms, rate, seconds }) {
  const phones = await Phones.start(agents, ['--talk', `${talk_ms}ms`]);
  let centre;
  try {
    centre = await Centre.open({ addresses: phones.addresses });
    const used = meter(centre.pid);
    const began = Date.now() * 1_000;
    const callers = new Callers(centre.target, { rate, seconds, patience: '120s' });
    const result = await callers.results((seconds + 120) * 1_000);
    await centre.empty();
    return { ...result, ...used(), began, served: phones.calls };
  } finally {
    await centre?.close();
    await phones.stop();
  }
}

export const distribution = {
  goals: ['G5'],
  async run({ bin, quick, say }) {
    const plan = quick ? { agents: 10, talk_ms: 500, rate: 10, seconds: 4 } : { agents: 100, talk_ms: 1_000, rate: 50, seconds: 12 };
    const goal = atReference(1.5, 'ms', await relayUs(bin));
    const seen = await distribute(plan);
    const name = `distributed call, ${plan.agents} agents, ${plan.rate}/s`;
    say(`${seen.served.length} of ${seen.calls} calls served, ends ${JSON.stringify(seen.ends)}`);
    if (seen.served.length < seen.calls * 0.999) return [{ goal: 'G5', name, missing: `only ${seen.served.length} of ${seen.calls} calls were served` }];
    return [{ goal: 'G5', name, value: seen.cpu_ms / seen.served.length, ...goal, note: `${goal.note}; music and ${plan.talk_ms} ms of talk from the agent's side included`, reference: 'Asterisk 5.0-8.0 ms with 100 agents' }];
  }
};

/** Nearly twice as many callers as the agents can take: they go from one to the next. */
export const overload = {
  goals: ['G5'],
  async run({ quick, say }) {
    const plan = quick ? { agents: 10, talk_ms: 1_000, rate: 18, seconds: 5 } : { agents: 100, talk_ms: 3_000, rate: 60, seconds: 12 };
    const seen = await distribute(plan);
    const wanted = plan.rate * plan.seconds;
    say(`${seen.served.length} of ${wanted} calls served, ends ${JSON.stringify(seen.ends)}`);
    // Steady: everybody has had a first call, and callers still wait because more arrive.
    const [from, until] = [seen.began + plan.talk_ms * 1_500, seen.began + plan.seconds * 1e6];
    const { gaps_ms, talk_us } = idle(seen.served, from, until);
    const occupancy = (100 * talk_us) / (plan.agents * (until - from));
    if (gaps_ms.length < plan.agents) return [{ goal: 'G5', name: 'idle gap of an agent, p99', missing: `only ${gaps_ms.length} gaps were seen` }];
    const note = `${plan.agents} agents, ${plan.talk_ms / 1_000} s of talk, ${plan.rate}/s offered, p50 ${percentile(gaps_ms, 50).toFixed(1)} ms`;
    return [
      { goal: 'G5', name: 'idle gap of an agent, p99', value: percentile(gaps_ms, 99), unit: 'ms', most: 50, note, reference: 'Asterisk about 800 ms on average' },
      { goal: 'G5', name: 'occupancy in overload', value: occupancy, unit: '%', least: 97, reference: 'Asterisk 79 %' },
      { goal: 'G5', name: 'calls served in overload', value: seen.served.length, floor: wanted, unit: 'calls', least: 0.999, by: 'ratio' }
    ];
  }
};

/** Between hanging up and being rung again, of all agents, in a window; and their time in talk. */
export function idle(calls, from, until) {
  const gaps_ms = [];
  let talk_us = 0;
  for (const own of Map.groupBy?.(calls, (call) => call.agent)?.values() ?? grouped(calls)) {
    own.sort((one, two) => one.invited_at - two.invited_at);
    own.forEach((call, n) => {
      const answered = call.answered_at ?? call.ended_at;
      talk_us += Math.max(0, Math.min(call.ended_at, until) - Math.max(answered, from));
      const next = own[n + 1];
      if (next && call.ended_at >= from && next.invited_at <= until) gaps_ms.push((next.invited_at - call.ended_at) / 1_000);
    });
  }
  return { gaps_ms, talk_us };
}

function grouped(calls) {
  const groups = {};
  for (const call of calls) (groups[call.agent] ??= []).push(call);
  return Object.values(groups);
}
