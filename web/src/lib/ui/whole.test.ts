import { expect, it } from 'vitest';
import { putRight, readWhole } from './whole';

it('reads whole numbers in the digits of any language', () => {
  expect(['25', ' 25 ', '۲۵', '٢٥', '007'].map(readWhole)).toEqual([25, 25, 25, 25, 7]);
  expect(['', '2.5', '-1', '1e3', 'ten', '1234567890'].map(readWhole)).toEqual([null, null, null, null, null, null]);
});

it('keeps what may be and says so of nothing else', () => {
  expect(putRight('25', 10, 1, 2000)).toEqual({ value: 25, changed: false });
  expect(putRight('5000', 10, 1, 2000)).toEqual({ value: 2000, changed: true });
  expect(putRight('0', 10, 1, 2000)).toEqual({ value: 1, changed: true });
  expect(putRight('many', 10, 1, 2000)).toEqual({ value: 10, changed: true });
});
