import { expect, it } from 'vitest';
import type { CallRow } from '$lib/api';
import { lengthAt, runningAt, runs, type Figure } from './running';

const AT = Date.parse('2026-11-24T08:42:00Z');
type Case = [what: string, row: Pick<CallRow, Figure | 'running'>, expected: (number | null)[]];

const since = '2026-11-24T08:41:20Z';
const CASES: Case[] = [
  ['a finished call stands still', { waited_s: 12, talk_s: 90, hold_s: 0, running: null }, [12, 90, 0]],
  ['a first wait runs from its beginning', { waited_s: 0, talk_s: null, hold_s: null, running: { what: 'waiting', since } }, [40, null, null]],
  ['a second wait goes on from the first', { waited_s: 25, talk_s: 60, hold_s: 0, running: { what: 'waiting', since } }, [65, 60, 0]],
  ['talk after a hold goes on from the talk before', { waited_s: 12, talk_s: 30, hold_s: 20, running: { what: 'talking', since } }, [12, 70, 20]],
  ['on hold only the hold runs', { waited_s: 12, talk_s: 30, hold_s: null, running: { what: 'hold', since } }, [12, 30, 40]],
  ['a stamp of a moment to come counts nothing', { waited_s: 0, talk_s: null, hold_s: null, running: { what: 'waiting', since: '2026-11-24T08:42:01Z' } }, [0, null, null]],
  ['a call in the flow has no lengths', { waited_s: null, talk_s: null, hold_s: null, running: null }, [null, null, null]]
];

it.each(CASES)('%s', (_what, row, expected) => {
  const figures: Figure[] = ['waited_s', 'talk_s', 'hold_s'];
  expect(figures.map((figure) => lengthAt(row, figure, AT))).toEqual(expected);
  expect(figures.filter((figure) => runs(row, figure))).toHaveLength(row.running ? 1 : 0);
  expect(runningAt(row, AT)).toBe(row.running ? expected[figures.findIndex((figure) => runs(row, figure))] : null);
});
