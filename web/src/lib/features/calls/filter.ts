/** The filter of the call list: lives in the address, so that it can be kept, sent and gone back to. */
import type { Outcome } from '$lib/api';
import { civil, startOfDay } from '$lib/i18n/format';

export type When = 'any' | 'today' | 'yesterday' | 'week';
export const WHENS: When[] = ['any', 'today', 'yesterday', 'week'];

export interface Filter {
  when: When;
  queue: string | null;
  outcome: Outcome | null;
  /** Only calls of the person who looks. */
  mine: boolean;
  /** The beginning of the caller's number. */
  q: string;
}

const OUTCOMES = new Set(['handled', 'abandoned', 'left_in_flow', 'flow_ended', 'refused', 'failed']);
const DAY_MS = 86_400_000;

export function parseFilter(search: URLSearchParams): Filter {
  const when = search.get('when') as When;
  const outcome = search.get('outcome') ?? '';
  return {
    when: WHENS.includes(when) ? when : 'any',
    queue: search.get('queue'),
    outcome: OUTCOMES.has(outcome) ? (outcome as Outcome) : null,
    mine: search.get('mine') === 'yes',
    q: search.get('q') ?? ''
  };
}

/** The address of a filtered list; what is not chosen is left out. */
export function filterUrl(filter: Filter): string {
  const search = new URLSearchParams();
  if (filter.when !== 'any') search.set('when', filter.when);
  if (filter.queue) search.set('queue', filter.queue);
  if (filter.outcome) search.set('outcome', filter.outcome);
  if (filter.mine) search.set('mine', 'yes');
  if (filter.q) search.set('q', filter.q);
  const text = search.toString();
  return text ? `/calls?${text}` : '/calls';
}

export function isFiltered(filter: Filter): boolean {
  return filterUrl(filter) !== '/calls';
}

/** The query of the API. Days begin at midnight in the zone of the company. */
export function queryOf(filter: Filter, agent: string | undefined, now: number, zone: string): Record<string, string | null | undefined> {
  const day = (ago: number) => startOfDay(civil(now - ago * DAY_MS, zone), zone);
  const from = { any: null, today: day(0), yesterday: day(1), week: day(6) }[filter.when];
  const until = filter.when === 'yesterday' ? day(0) : null;
  return { queue: filter.queue, outcome: filter.outcome, agent: filter.mine ? agent : null, q: filter.q, from, until };
}
