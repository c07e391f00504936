import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Editor } from './editor.svelte';

interface Named { name: string; items: { label: string }[] }
let editor: Editor<Named>;
let answer: Response;
let sent: unknown[];

beforeEach(() => {
  sent = [];
  answer = new Response(null, { status: 204 });
  vi.stubGlobal('fetch', async (_: string, init: RequestInit) => {
    sent.push(JSON.parse(String(init.body)));
    return answer;
  });
  editor = new Editor();
  editor.begin('/things', { name: '', items: [{ label: '' }] });
});
afterEach(() => vi.unstubAllGlobals());

function type(name: string, label: string) {
  editor.draft = { name, items: [{ label }] };
}

function refuse(pointer: string) {
  const body = { code: 'bad_name', detail: '', errors: [{ pointer, code: 'bad_name', detail: '' }] };
  answer = new Response(JSON.stringify(body), { status: 422 });
}

it('sends and keeps texts without the blanks around them', async () => {
  type(' Sales ', 'Price asked ');
  await editor.save('it', 'PUT', { password: ' as typed ' });
  expect(sent).toEqual([{ name: 'Sales', items: [{ label: 'Price asked' }], password: ' as typed ' }]);
  expect([editor.draft?.name, editor.dirty]).toEqual(['Sales', false]);
});

it('tells of a fault until its field is changed', async () => {
  refuse('/items/0/label');
  type('Sales', '\u0007');
  await editor.save('it', 'PUT');
  type('Repairs', '\u0007');
  expect(editor.refusal()?.code).toBe('bad_name');
  type('Repairs', 'Price asked');
  expect([editor.refusal(), editor.dirty]).toEqual([null, true]);
});

it('tells also of what is sent beside the draft', async () => {
  refuse('/password');
  type('Olga', '');
  await editor.save('it', 'POST', { password: 'aaaaaaaaaaaa' });
  expect(editor.refusal({ password: 'aaaaaaaaaaaa' })?.code).toBe('bad_name');
  expect(editor.refusal({ password: 'a sentence' })).toBeNull();
});

it('forgets a refusal with what was typed', async () => {
  refuse('/name');
  type('x', '');
  await editor.save('it', 'PUT');
  editor.discard();
  expect(editor.refusal()).toBeNull();
});
