import { expect, it } from 'vitest';
import { dialString, sipAddress } from './numbers';

it('reads a number as people write it', () => {
  expect(['+30 210 555-0100', '(+30) 2105550100', '۱۰۰', '*21#'].map(dialString)).toEqual(['+302105550100', '+302105550100', '100', '*21#']);
});

it('says what a SIP phone dials', () => {
  expect(sipAddress({ dialled: '100' }, { sip: '127.0.0.1:5060', domain: null })).toBe('sip:100@127.0.0.1:5060');
  expect(sipAddress({ dialled: '100' }, { sip: '127.0.0.1:5060', domain: 'aegean.example' })).toBe('sip:100@aegean.example');
});
