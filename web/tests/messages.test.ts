/** Every visible word exists in every language, is used, and takes the same values. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const settings = JSON.parse(readFileSync(join(ROOT, 'project.inlang/settings.json'), 'utf8')) as { locales: string[] };
const messages = new Map(settings.locales.map((locale) => [locale, JSON.parse(readFileSync(join(ROOT, `messages/${locale}.json`), 'utf8')) as Record<string, string>]));
const english = messages.get('en') ?? {};
const keys = Object.keys(english).filter((key) => !key.startsWith('$'));
const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(svelte|ts)$/.test(file) && !file.includes('paraglide'))
  .map((file) => readFileSync(join(ROOT, 'src', file), 'utf8'))
  .join('\n');
const values = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();

describe.each(settings.locales)('%s', (locale) => {
  const own = messages.get(locale) ?? {};
  it('has every message and no other', () => {
    expect(Object.keys(own).sort()).toEqual(Object.keys(english).sort());
  });
  it('takes the same values and leaves none empty', () => {
    for (const key of keys) {
      expect(own[key]?.trim(), key).toBeTruthy();
      expect(values(own[key] ?? ''), key).toEqual(values(english[key] ?? ''));
    }
  });
});

it('has no message that nothing shows, and shows none that is missing', () => {
  const used = new Set([...sources.matchAll(/\bm\.([a-z_0-9]+)\b/g)].map((match) => match[1]));
  expect(keys.filter((key) => !used.has(key))).toEqual([]);
  expect([...used].filter((key) => !keys.includes(key ?? ''))).toEqual([]);
});

it('speaks without exclamation marks', () => {
  for (const own of messages.values()) for (const key of keys) expect(own[key], key).not.toMatch(/!/);
});
