import { expect, it } from 'vitest';
import { Problem } from '$lib/api';
import { m } from '$lib/i18n';
import { elsewhere, fieldText, problemText, standing } from './problem-text';

const at = (pointer: string, code: string, detail = 'in English') => ({ pointer, code, detail });
const refused = (code: string, ...errors: { pointer: string; code: string; detail: string }[]) => new Problem({ status: 422, code, detail: 'in English', errors });

it('finds the field that a refusal names', () => {
  const problem = refused('bad_address', at('/device/target/address', 'bad_address'));
  expect(fieldText(problem, '/device/target/address')).toBe(m.problem_bad_address());
  expect(fieldText(problem, '/device/target/user')).toBeUndefined();
  expect(fieldText(refused('bad_name', at('/skills/0', 'bad_name')), '/skills')).toBe(m.problem_bad_name());
  expect(fieldText(refused('bad_name', at('/names', 'bad_name')), '/name')).toBeUndefined();
  expect(fieldText(refused('bad_name', at('/items/37/label', 'bad_name')), '/items/3')).toBeUndefined();
  expect(fieldText(null, '/name')).toBeUndefined();
});

it('knows codes that belong to a field also without a place', () => {
  expect(fieldText(refused('mail_taken'), '/mail')).toBe(m.problem_mail_taken());
  expect(fieldText(refused('stale'), '/mail')).toBeUndefined();
});

it('shows the words of the server where it has none of its own', () => {
  expect(fieldText(refused('new_rule', at('/name', 'new_rule')), '/name')).toBe('in English');
  expect(problemText(new Problem({ status: 422, code: 'new_rule' }))).toBe(m.problem_other());
});

it('names every place that the form does not show itself', () => {
  const row = refused('bad_name', at('/items/37/label', 'bad_name'));
  expect(elsewhere(row, []).map((fault) => fault.pointer)).toEqual(['/items/37/label']);
  expect(elsewhere(row, ['/items/3'])).toHaveLength(1);
  expect(elsewhere(row, ['/items'])).toEqual([]);
  expect(elsewhere(refused('mail_taken'), ['/name', '/mail'])).toEqual([]);
  expect(elsewhere(refused('in_use', at('/nodes/wait/queue', 'unknown_queue')), ['/name'])).toHaveLength(1);
});

it('forgets a fault once its value is another one, and with the last fault the refusal', () => {
  const sent = { name: ' ', skills: { 'a/b': 20 }, device: { target: { address: 'desk' } } };
  const both = refused('bad_user', at('/skills/a~1b', 'bad_level'), at('/device/target/address', 'bad_address'));
  expect(standing(both, sent, structuredClone(sent))).toBe(both);
  expect(standing(both, sent, { ...sent, name: 'Olga' })).toBe(both);
  const one = standing(both, sent, { ...sent, skills: { 'a/b': 2 } });
  expect([one?.code, one?.errors.map((fault) => fault.code)]).toEqual(['bad_user', ['bad_address']]);
  expect(standing(both, sent, { ...sent, skills: {}, device: null })).toBeNull();
  expect(standing(refused('mail_taken'), { mail: 'a@b' }, { mail: 'b@b' })).toBeNull();
});

it('keeps a refusal that names no place until the next one', () => {
  const problem = refused('not_saved');
  expect(standing(problem, { name: 'a' }, { name: 'b' })).toBe(problem);
  expect(standing(null, null, null)).toBeNull();
});
