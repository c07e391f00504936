import { expect, it } from 'vitest';
import { filterUrl, isFiltered, parseFilter, queryOf } from './filter';

it('lives in the address and comes back from it', () => {
  const filter = parseFilter(new URLSearchParams('when=yesterday&outcome=abandoned&mine=yes&q=%2B30'));
  expect(filter).toEqual({ when: 'yesterday', queue: null, outcome: 'abandoned', mine: true, q: '+30' });
  expect(filterUrl(filter)).toBe('/calls?when=yesterday&outcome=abandoned&mine=yes&q=%2B30');
});

it('ignores what it does not know', () => {
  const filter = parseFilter(new URLSearchParams('when=soon&outcome=great'));
  expect(isFiltered(filter)).toBe(false);
});

it('begins days at midnight in the zone of the company', () => {
  const filter = parseFilter(new URLSearchParams('when=yesterday&mine=yes'));
  const query = queryOf(filter, 'agent-1', Date.parse('2026-11-24T08:42:00Z'), 'Europe/Athens');
  expect(query).toMatchObject({ agent: 'agent-1', from: '2026-11-22T22:00:00.000Z', until: '2026-11-23T22:00:00.000Z' });
});
