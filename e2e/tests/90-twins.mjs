// Two tenants of one house with the same names and the same number, told apart by the domain that
// is called: what happens to one is nowhere to be seen by the other.

import assert from 'node:assert/strict';
import { freshNumber } from '../lib/phone.mjs';
import { ANTIPHON, PHONE, run } from '../lib/program.mjs';
import { Refused } from '../lib/house.mjs';

const ONE = 'one.example';
const TWO = 'two.example';

async function twins(stage, say) {
  const house = await stage.house();
  await house.operator('tenant', 'domain', ONE);
  const twin = await house.twin(TWO);
  await assert.rejects(house.operator('tenant', 'domain', '--tenant', twin.tenant, 'ONE.example'), /domain is taken/);
  await assert.rejects(house.operator('tenant', 'domain', '--tenant', twin.tenant, '127.0.0.1'), /address is no domain/);
  const claims = JSON.parse(await house.operator('number', 'list', '--json'));
  assert.deepEqual(
    claims.filter((row) => row.dialled === house.number).map((row) => [row.dialled, row.tenant.domain, row.without_domain]),
    [['100', ONE, true], ['100', TWO, false]]
  );

  const rings = async (owner, domain) => {
    const caller = stage.caller({ more: domain ? ['--domain', domain] : [] });
    const row = await owner.callOf(caller.number);
    await caller.bye();
    return { owner, caller: caller.number, id: row.id };
  };
  const calls = [
    await rings(house, ONE),
    await rings(twin, TWO),
    await rings(twin, 'Two.Example'),
    // The address of the house, or a host that is nobody's: the oldest claim.
    await rings(house, null),
    await rings(house, 'elsewhere.example')
  ];
  // A number that the named tenant does not have is nobody's, whoever else has it.
  const flow = (await house.get('/api/v1/flows')).items[0].id;
  await house.request('PUT', '/api/v1/numbers/777', { flow });
  const ghost = freshNumber();
  const refused = await run(PHONE, ['call', `sip:777@${house.sip}`, '--domain', TWO, '--from', ghost, '--json'], { ok: [0, 1] });
  assert.match(refused.stdout, /\b404\b/);

  // Whoever lets go of a number leaves it to the next.
  await house.request('DELETE', '/api/v1/numbers/100');
  calls.push(await rings(twin, null));

  const seen = { house: await house.calls(), twin: await twin.calls() };
  for (const { owner, caller, id } of calls) {
    const [own, other] = owner === twin ? [seen.twin, seen.house] : [seen.house, seen.twin];
    assert.equal(own.filter((call) => call.caller === caller).length, 1);
    assert.equal(other.filter((call) => call.caller === caller || call.id === id).length, 0);
    const stranger = owner === twin ? house : twin;
    await assert.rejects(stranger.call(id), (error) => error instanceof Refused && error.status === 404);
  }
  assert.deepEqual([seen.house.length, seen.twin.length], [3, 3], 'and no other call was made');
  say(`${calls.length} calls, each in one list`);

  // What the floors decided is decided again in the same way.
  await house.program.stop();
  const { stdout } = await run(ANTIPHON, ['replay', '--data', house.data, '--json']);
  const segments = stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
  assert(segments.length >= 2 && segments.every((one) => one.decisions > 0 && one.difference === null));
}

export const tests = [{ name: 'twins with equal numbers', deadline_s: 120, run: twins }];
