/** The lengths of a live call: what the server counted, and what runs on from its stamp. */
import type { CallRow } from '$lib/api';

export type Figure = 'waited_s' | 'talk_s' | 'hold_s';
type Live = Pick<CallRow, Figure | 'running'>;

const FIGURES: Record<NonNullable<CallRow['running']>['what'], Figure> = { waiting: 'waited_s', talking: 'talk_s', hold: 'hold_s' };

/** Whether this figure grows now. */
export function runs(row: Live, figure: Figure): boolean {
  return Boolean(row.running) && FIGURES[row.running!.what] === figure;
}

/** Seconds of what runs, its earlier stretches included; `null` when nothing does. */
export function runningAt(row: Live, now: number): number | null {
  return row.running ? lengthAt(row, FIGURES[row.running.what], now) : null;
}

/** Seconds of a figure at a time in milliseconds; `null` when the call has none. */
export function lengthAt(row: Live, figure: Figure, now: number): number | null {
  const counted = row[figure] ?? null;
  if (!row.running || !runs(row, figure)) return counted;
  return (counted ?? 0) + Math.max(0, now - Date.parse(row.running.since)) / 1000;
}
