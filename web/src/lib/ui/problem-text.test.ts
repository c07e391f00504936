import { expect, it } from 'vitest';
import { Problem } from '$lib/api';
import { m } from '$lib/i18n';
import { fieldText, placesOf, problemText } from './problem-text';

const at = (pointer: string, code: string, detail = 'in English') => ({ pointer, code, detail });
const refused = (code: string, ...errors: { pointer: string; code: string; detail: string }[]) => new Problem({ status: 422, code, detail: 'in English', errors });

it('finds the field that a refusal names', () => {
  const problem = refused('bad_address', at('/device/target/address', 'bad_address'));
  expect(fieldText(problem, '/device/target/address')).toBe(m.problem_bad_address());
  expect(fieldText(problem, '/device/target/user')).toBeUndefined();
  expect(fieldText(refused('bad_name', at('/skills/0', 'bad_name')), '/skills')).toBe(m.problem_bad_name());
  expect(fieldText(refused('bad_name', at('/names', 'bad_name')), '/name')).toBeUndefined();
  expect(fieldText(null, '/name')).toBeUndefined();
});

it('knows codes that belong to a field also without a place', () => {
  expect(fieldText(refused('mail_taken'), '/mail', 'mail_taken', 'bad_mail')).toBe(m.problem_mail_taken());
  expect(fieldText(refused('stale'), '/mail', 'mail_taken', 'bad_mail')).toBeUndefined();
});

it('shows the words of the server where it has none of its own', () => {
  expect(fieldText(refused('new_rule', at('/name', 'new_rule')), '/name')).toBe('in English');
  expect(problemText(new Problem({ status: 422, code: 'new_rule' }))).toBe(m.problem_other());
});

it('says a single fault once, and several each at its place', () => {
  expect(placesOf(refused('bad_name', at('/name', 'bad_name')))).toEqual([]);
  expect(placesOf(refused('new_rule', at('/name', 'new_rule')))).toHaveLength(1);
  expect(placesOf(refused('in_use', at('/nodes/wait/queue', 'unknown_queue')))).toHaveLength(1);
  expect(placesOf(refused('bad_calendar', at('/1/week/1/0', 'overlap'), at('/1/zone', 'unknown_zone')))).toHaveLength(2);
});
