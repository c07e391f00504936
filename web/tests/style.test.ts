/** What holds for every component: logical directions only, no inline style or script, bounded size. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const SRC = join(import.meta.dirname, '../src');
const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(svelte|css|ts)$/.test(file) && !file.includes('paraglide') && !file.endsWith('schema.d.ts') && !file.endsWith('.test.ts'));
const CLASSES = /(?<![\w-])-?(?:[a-z]+:)*(?:m[lr]|p[lr]|left|right|border-[lr]|rounded-(?:[lr]|[tb][lr])|text-(?:left|right)|float-(?:left|right)|clear-(?:left|right))-?(?:\d|\[|auto|px|full|")/;
const PROPERTIES = /(?<![\w-])(?:(?:margin|padding|border)-(?:left|right)|(?:left|right)\s*:|text-align:\s*(?:left|right)|float:\s*(?:left|right)|border-(?:top|bottom)-(?:left|right)-radius)/;

describe.each(files)('%s', (file) => {
  const text = readFileSync(join(SRC, file), 'utf8');
  const template = text.replace(/<script[\s\S]*?<\/script>/g, '').replace(/<style[\s\S]*?<\/style>/g, '');
  const css = file.endsWith('.css') ? text : (/<style>([\s\S]*?)<\/style>/.exec(text)?.[1] ?? '');

  it('knows no left and right', () => {
    if (file.endsWith('.svelte')) expect(template).not.toMatch(CLASSES);
    expect(css).not.toMatch(PROPERTIES);
  });
  it('has no style attribute and no markup from text', () => {
    if (!file.endsWith('.svelte')) return;
    expect(template).not.toMatch(/\sstyle="(?!\{)/);
    expect(template).not.toMatch(/\{@html/);
  });
  it('is small enough to read', () => {
    expect(text.split('\n').length).toBeLessThanOrEqual(file.endsWith('.svelte') ? 200 : 400);
  });
});
