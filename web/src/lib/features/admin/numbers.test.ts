import { expect, it } from 'vitest';
import { dialString, sipAddress } from './numbers';

it('reads a number as people write it', () => {
  const written = ['+30 210 555-0100', '(+30) 2105550100', '210.555.0100', '0210/555', '[0] 210\u2013555\u22120100', '\u2066+30\u00a0210\u202f555\u2069', '\u202a100\u202c', '＋３０２１０', '۱۰۰', '*21#'];
  expect(written.map(dialString)).toEqual(['+302105550100', '+302105550100', '2105550100', '0210555', '02105550100', '+30210555', '100', '+30210', '100', '*21#']);
});

it('keeps the signs of a name', () => {
  expect(['front-desk', 'anna.smith', 'hall_2'].map(dialString)).toEqual(['front-desk', 'anna.smith', 'hall_2']);
});

it('says of what cannot be dialled that it cannot', () => {
  expect(['', ' ', '-', '..', 'a b@c', 'tel:100', 'über', '1'.repeat(65)].map(dialString)).toEqual([null, null, null, null, null, null, null, null]);
});

it('says what a SIP phone dials', () => {
  expect(sipAddress({ dialled: '100' }, { sip: '127.0.0.1:5060', domain: null })).toBe('sip:100@127.0.0.1:5060');
  expect(sipAddress({ dialled: '100' }, { sip: '127.0.0.1:5060', domain: 'aegean.example' })).toBe('sip:100@aegean.example');
});
