import { expect, it } from 'vitest';
import { fold, matches } from './fold';
import { initials } from './initials';

it('finds words by their beginning, whatever the accents and letter variants', () => {
  expect(matches(fold('Kazlauskienė, Rasa'), 'kazlauskiene')).toBe(true);
  expect(matches(fold('تأخیر تعمیر، در انتظار قطعه'), 'تاخير')).toBe(true);
  expect(matches(fold('Late repair, waiting for part'), 'rep wait')).toBe(true);
  expect(matches(fold('Late repair'), 'pair')).toBe(false);
});

it('makes initials that do not join', () => {
  expect(initials('Rasa Kazlauskienė')).toBe('RK');
  expect(initials('نوید رحیمی')).toBe('ن\u200cر');
  expect(initials('')).toBe('');
});
