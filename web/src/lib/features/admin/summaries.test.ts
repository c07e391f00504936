import { afterEach, expect, it } from 'vitest';
import { language } from '$lib/i18n';
import { summaryWords } from './summaries';

const shown = (summary: string) => summaryWords(summary).replace(/[\u2066-\u2069]/g, '');

afterEach(() => void (language.locale = 'en'));

/** The phrases of the server, from `crates/api/src/routes`. */
const PHRASES = [
  'add queue Repairs', 'change queue Repairs', 'remove queue Repairs', 'add user Navid Rahimi', 'change user Navid Rahimi', 'remove user Navid Rahimi', 'new telephone secret of user Navid Rahimi',
  'add flow Main line', 'draft flow Main line', 'publish flow Main line', 'lead number +302105550100 to a flow', 'remove number 100', 'record prompt welcome (en)',
  'remove prompt calm (*)', 'change dispositions', 'change break reasons', 'change opening hours', 'change the company', 'first prompts and flow', 'an account was added'
];

it('has words for every phrase in every language', () => {
  for (const locale of ['en', 'fa'] as const) {
    language.locale = locale;
    const words = PHRASES.map(shown);
    for (const [at, word] of words.entries()) expect(word, locale).not.toBe(PHRASES[at]);
    expect(new Set(words).size).toBe(PHRASES.length);
  }
});

it('keeps names whole, also those that look like a phrase', () => {
  expect(shown('change queue Repairs')).toBe('Queue changed: Repairs');
  expect(shown('add queue remove queue (x)')).toBe('Queue added: remove queue (x)');
  expect(shown('record prompt menu (old) (fa)')).toBe('Sound recorded: menu (old) (Persian)');
  expect(shown('lead number 100 to a flow')).toBe('Number leads to a flow: 100');
});

it('does not show the id of somebody who is gone', () => {
  expect(shown('remove user 0193b100-0000-7000-8000-000000000002')).toBe('User removed: somebody who is gone');
});

it('shows what it does not know as it is', () => {
  expect(summaryWords('demo: the company')).toBe('demo: the company');
  expect(summaryWords('add queue')).toBe('add queue');
});
