// The table: each figure beside the floor of the same run, its goal and its verdict.
//
// The goal of one that has no number is '-'.
// A figure is { goal, name, unit, value, floor?, most?, least?, by?, plain?, reference?, note? }. `most`
// and `least` bound the value, or with `by: 'ratio'` the value over the floor; `plain` is the goal
// before it was brought to the speed of this machine, and what it says is printed beside the
// verdict. One that could not be had is { goal, name, missing: reason }: it is printed as such,
// never left out.

/** The median of each figure over the repeats of a part, in the order of the first. */
export function medians(repeats) {
  const names = [...new Set(repeats.flat().map((figure) => `${figure.goal} ${figure.name}`))];
  return names.map((name) => {
    const same = repeats.flat().filter((figure) => `${figure.goal} ${figure.name}` === name);
    const had = same.filter((figure) => figure.missing === undefined);
    if (had.length === 0) return same[0];
    const floors = had.map((figure) => figure.floor).filter((floor) => floor !== undefined);
    return {
      ...had[0],
      value: median(had.map((figure) => figure.value)),
      floor: floors.length ? median(floors) : undefined,
      values: had.map((figure) => figure.value),
      failed_repeats: same.length - had.length
    };
  });
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Adds ratio and verdict. A figure of a development build or of a busy machine is not judged. */
export function judged(figure, doubt) {
  if (figure.missing !== undefined) return { ...figure, verdict: `not measured: ${figure.missing}` };
  const ratio = figure.floor ? figure.value / figure.floor : undefined;
  const measured = figure.by === 'ratio' ? ratio : figure.value;
  const { most, least } = figure;
  let verdict = '-';
  if (most !== undefined || least !== undefined) {
    const met = (most === undefined || measured <= most) && (least === undefined || measured >= least);
    verdict = doubt ? `not judged: ${doubt} (${met ? 'within' : 'outside'})` : met ? 'met' : 'MISSED';
    if (figure.plain !== undefined) verdict += figure.value <= figure.plain ? ', also as it is' : `, as it is ${(figure.value / figure.plain).toFixed(2)} x of ${figure.plain}`;
  }
  return { ...figure, ratio, verdict };
}

/** The share by which G1, G2 and G3 may miss before the design is in question. */
export const FAR = 0.25;

/** Whether a figure that is judged misses its upper bound by more than that. */
export function missesFar({ verdict, value, ratio, by, most }) {
  return verdict.startsWith('MISSED') && most !== undefined && (by === 'ratio' ? ratio : value) > most * (1 + FAR);
}

/** Whether a figure that has a goal is no answer: it could not be had, or nobody can trust it. */
export function isOpen({ verdict }) {
  return verdict.startsWith('not ');
}

export function table(figures) {
  const head = ['goal', 'figure', 'value', 'floor', 'ratio', 'goal is', 'verdict'];
  const rows = figures.map((figure) => [
    figure.goal,
    figure.name,
    figure.missing === undefined ? `${short(figure.value)} ${figure.unit}` : '-',
    figure.floor === undefined ? '-' : short(figure.floor),
    figure.ratio === undefined ? '-' : `${figure.ratio.toFixed(2)} x`,
    bound(figure),
    figure.verdict
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const line = (row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd();
  const lines = [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)];
  const said = figures.filter((figure) => figure.reference || figure.note);
  if (said.length) lines.push('');
  for (const { goal, name, reference, note } of said) {
    if (note) lines.push(`${goal} ${name}: ${note}`);
    if (reference) lines.push(`${goal} ${name}: reference, other run: ${reference}`);
  }
  return lines.join('\n');
}

function bound({ most, least, by, unit }) {
  if (most === undefined && least === undefined) return '-';
  const sign = most === undefined ? '>=' : '<=';
  return `${sign} ${most ?? least} ${by === 'ratio' ? 'x floor' : unit ?? ''}`.trim();
}

function short(number) {
  if (number === 0) return '0';
  const size = Math.abs(number);
  return size >= 100 ? number.toFixed(0) : size >= 10 ? number.toFixed(1) : number.toFixed(2);
}
