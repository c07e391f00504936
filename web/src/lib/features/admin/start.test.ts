import { expect, it } from 'vitest';
import { stepsDone } from './start.svelte';

const nothing = { queues: [], flows: [], numbers: [], users: [] };
const browser = { kind: 'browser' as const };

it('counts what can take a call, not what merely exists', () => {
  expect([...stepsDone(nothing)]).toEqual([]);
  const drafted = { ...nothing, queues: [{ id: 'q' }], flows: [{ published: null }], users: [{ queues: [], device: browser }, { queues: ['q'], device: null }] };
  expect([...stepsDone(drafted)]).toEqual(['queue']);
  const whole = { ...drafted, flows: [{ published: { version: 1 } }], numbers: [{ dialled: '+30' }], users: [{ queues: ['q'], device: browser }] };
  expect([...stepsDone(whole)]).toEqual(['queue', 'flow', 'number', 'agent']);
});
