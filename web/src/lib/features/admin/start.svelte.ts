/** What a company needs before its first call, and what of it is there. */
import { api, type FlowRow, type NumberRow, type Page, type QueueRow, type User } from '$lib/api';
import { Resource } from '$lib/ui/resource.svelte';

export const STEPS = ['queue', 'flow', 'number', 'agent'] as const;
export type Step = (typeof STEPS)[number];

interface Found {
  queues: Pick<QueueRow, 'id'>[];
  flows: Pick<FlowRow, 'published'>[];
  numbers: Pick<NumberRow, 'dialled'>[];
  users: Pick<User, 'queues' | 'device'>[];
}

/** The steps that are done. An agent counts only with a telephone and a queue. */
export function stepsDone({ queues, flows, numbers, users }: Found): Set<Step> {
  const done: Record<Step, boolean> = {
    queue: queues.length > 0,
    flow: flows.some((flow) => flow.published),
    number: numbers.length > 0,
    agent: users.some((user) => user.device && user.queues.length > 0)
  };
  return new Set(STEPS.filter((step) => done[step]));
}

async function items<T>(path: string): Promise<T[]> {
  return (await api.get<Page<T>>(path, { query: { limit: 200 } })).items;
}

/** Read by whoever shows it; only an administrator may. */
export const start = new Resource(async () => {
  const [queues, flows, numbers, users] = await Promise.all([items<QueueRow>('/queues'), items<FlowRow>('/flows'), items<NumberRow>('/numbers'), items<User>('/users')]);
  return stepsDone({ queues, flows, numbers, users });
});
