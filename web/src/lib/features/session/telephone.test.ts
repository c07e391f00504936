import { afterEach, expect, it, vi } from 'vitest';
import type { AgentState } from '$lib/api';
import { telephone } from './telephone.svelte';

const { acts } = vi.hoisted(() => ({ acts: [] as string[] }));
vi.mock('$lib/live', () => ({ live: {} }));
vi.mock('$lib/phone', () => ({
  Phone: class {
    start = async () => void acts.push('start');
    stop = () => void acts.push('stop');
  }
}));

afterEach(() => {
  telephone.stop();
  acts.length = 0;
});

/** What happens to the telephone of the page while the own state says these devices; `+` is in a call. */
function check(states: string, expected: string[]) {
  for (const state of states.split(' ')) {
    const [device, onCall] = [state.replace('+', ''), state.endsWith('+')];
    telephone.follow(device === '?' ? undefined : device === 'none' ? null : (device as AgentState['device']), onCall);
  }
  expect(acts, states).toEqual(expected);
}

it('starts once where calls ring in the browser, and nowhere else', () => {
  check('? browser browser+ browser', ['start']);
});

it.each(['?', 'sip', 'phone', 'none', '? phone phone+ phone'])('does not start: %s', (states) => check(states, []));

it('stops when they ring elsewhere from now on, and starts anew when they are back', () => {
  check('browser phone sip browser none', ['start', 'stop', 'start', 'stop']);
});

it('does not cut a call that began here', () => {
  check('browser+ phone+', ['start']);
  check('phone', ['start', 'stop']);
});

it('stays as it is while nothing is known, and starts after the end of a session', () => {
  check('browser ?', ['start']);
  telephone.stop();
  check('? browser', ['start', 'stop', 'start']);
});
