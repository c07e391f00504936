import { expect, it } from 'vitest';
import { isTag } from './tags';

it('knows a tag from the name of a language', () => {
  expect(['en', 'fa', 'pt-BR', 'zh-Hans-CN', 'ckb', '*'].map(isTag)).toEqual([true, true, true, true, true, true]);
  expect(['english', 'EN', 'e', '', 'en_GB', 'en-', '**', 'فارسی'].map(isTag)).toEqual([false, false, false, false, false, false, false, false]);
});
