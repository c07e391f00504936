import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PasswordChange } from './password.svelte';

describe('a new password', () => {
  let change: PasswordChange;
  let sent: { url: string; method: string; body: unknown }[];
  let answer: Response;

  beforeEach(() => {
    change = new PasswordChange();
    sent = [];
    answer = new Response(null, { status: 204 });
    vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
      sent.push({ url, method: init.method ?? '', body: JSON.parse(String(init.body)) });
      return answer;
    });
  });
  afterEach(() => vi.unstubAllGlobals());

  function type(old: string, fresh: string, again = fresh) {
    change.old = old;
    change.new = fresh;
    change.again = again;
  }

  it('is sent with the one in force and is then forgotten', async () => {
    type('an old sentence', 'a new sentence');
    expect(await change.send()).toBe(true);
    expect(sent).toEqual([{ url: '/api/v1/me/password', method: 'PUT', body: { old: 'an old sentence', new: 'a new sentence' } }]);
    expect([change.old, change.new, change.again]).toEqual(['', '', '']);
  });

  it('is not sent while it is short, differs or the one in force is missing', async () => {
    for (const [old, fresh, again] of [['old', 'too short', 'too short'], ['old', 'a new sentence', 'a new sentense'], ['old', 'a new sentence', ''], ['', 'a new sentence', 'a new sentence']] as const) {
      type(old, fresh, again);
      expect(change.complete, fresh).toBe(false);
      expect(await change.send()).toBe(false);
    }
    expect(sent).toEqual([]);
  });

  it('counts characters as people do', () => {
    type('old', 'گذرواژه تازه');
    expect(change.complete).toBe(true);
    type('old', '🙂🙂🙂🙂🙂🙂');
    expect(change.short).toBe(true);
  });

  it('says that the two differ only once they cannot become the same', () => {
    type('old', 'a new sentence', 'a new');
    expect(change.differs).toBe(false);
    type('old', 'a new sentence', 'a now');
    expect(change.differs).toBe(true);
  });

  it('keeps what was typed when it is refused, but not the wrong one', async () => {
    answer = Response.json({ code: 'wrong_password' }, { status: 403 });
    type('wrong', 'a new sentence');
    expect(await change.send()).toBe(false);
    expect([change.wrong, change.old, change.new]).toEqual([true, '', 'a new sentence']);
    answer = Response.json({ code: 'too_many_tries' }, { status: 429, headers: { 'retry-after': '30' } });
    type('an old sentence', 'a new sentence');
    expect(await change.send()).toBe(false);
    expect([change.wrong, change.problem?.retryAfter]).toEqual([false, 30]);
  });
});
