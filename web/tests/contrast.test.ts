/** The promise of the tokens: text at least 4.5:1, marks and large figures at least 3:1, in both themes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const css = readFileSync(join(import.meta.dirname, '../src/lib/theme/tokens.css'), 'utf8');
type Colour = [number, number, number];

function block(selector: string): Map<string, string> {
  const body = css.slice(css.indexOf(selector)).split('\n}')[0] ?? '';
  return new Map([...body.matchAll(/--([\w-]+):\s*([^;]+);/g)].map((match) => [match[1] ?? '', match[2] ?? '']));
}

/** OKLCH to linear sRGB, as CSS Color 4 gives it. */
function linear(text: string): Colour {
  const [l, c, h] = (/oklch\(([\d.]+) ([\d.]+) ([\d.]+)/.exec(text) ?? /oklch\(([\d.]+) (0) (0)/.exec(text) ?? []).slice(1).map(Number) as [number, number, number];
  const a = c * Math.cos((h * Math.PI) / 180);
  const b = c * Math.sin((h * Math.PI) / 180);
  const [x, y, z] = [l + 0.3963377774 * a + 0.2158037573 * b, l - 0.1055613458 * a - 0.0638541728 * b, l - 0.0894841775 * a - 1.291485548 * b].map((v) => v ** 3) as Colour;
  const rgb: Colour = [4.0767416621 * x - 3.3077115913 * y + 0.2309699292 * z, -1.2684380046 * x + 2.6097574011 * y - 0.3413193965 * z, -0.0041960863 * x - 0.7034186147 * y + 1.707614701 * z];
  return rgb.map((v) => Math.min(1, Math.max(0, v))) as Colour;
}

const luminance = ([r, g, b]: Colour) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
function contrast(one: string, other: string): number {
  const [dark, light] = [luminance(linear(one)), luminance(linear(other))].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

const TEXT: [string, string[]][] = [
  ['text', ['bg', 'surface', 'surface-2', 'hover', 'selected', 'accent-soft', 'warn-soft', 'bad-soft']],
  ['text-2', ['bg', 'surface', 'surface-2', 'hover', 'selected', 'idle-soft', 'accent-soft']],
  ['accent-text', ['surface', 'surface-2', 'accent-soft', 'selected']],
  ['on-accent', ['accent']], ['on-bad', ['bad-fill']],
  ['good-text', ['surface', 'good-soft']], ['warn-text', ['surface', 'warn-soft']], ['bad-text', ['surface', 'bad-soft']], ['talk', ['surface', 'talk-soft', 'selected']]
];
const MARKS: [string, string[]][] = [['accent', ['surface', 'accent-soft']], ['good', ['surface']], ['warn', ['surface']], ['bad', ['surface']], ['talk', ['surface']], ['idle', ['surface']], ['line-control', ['surface']], ['text-3', ['surface', 'surface-2']]];

describe.each([['light', ':root {'], ['dark', ':root[data-theme="dark"] {']])('%s', (_theme, selector) => {
  const own = new Map([...block(':root {'), ...block(selector)]);
  const pairs = (list: [string, string[]][]) => list.flatMap(([fore, backs]) => backs.map((back): [string, string] => [fore, back]));
  it.each(pairs(TEXT))('text %s on %s', (fore, back) => {
    expect(contrast(own.get(fore) ?? '', own.get(back) ?? '')).toBeGreaterThanOrEqual(4.5);
  });
  it.each(pairs(MARKS))('mark %s on %s', (fore, back) => {
    expect(contrast(own.get(fore) ?? '', own.get(back) ?? '')).toBeGreaterThanOrEqual(3);
  });
});
