/** Milliseconds before the next attempt: doubles from 0.5 s to 15 s, spread so that a restarted server is not run over. */
export function backoffMs(attempt: number, chance: number): number {
  const ceiling = Math.min(15_000, 500 * 2 ** Math.min(attempt, 10));
  return Math.round(ceiling / 2 + (ceiling / 2) * chance);
}
