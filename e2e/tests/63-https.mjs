// The program ends TLS itself: an agent on another machine needs it for the microphone.

import assert from 'node:assert/strict';
import { CODES } from '../lib/voice.mjs';

async function overTls(stage, say) {
  const house = await stage.house({ env: { ANTIPHON_HTTP__HTTPS: '127.0.0.1:0' } });
  assert.match(house.https, /^https:\/\/127\.0\.0\.1:\d+$/);
  const desk = await stage.person();
  await desk.signIn('agent@demo.example', house.https);
  await desk.ready();
  await desk.linked();
  const [session] = await desk.context.cookies();
  assert(session.secure && session.httpOnly, 'the session goes over TLS alone');
  const caller = stage.caller();
  await desk.offered(caller.number);
  await desk.accept();
  const { codes } = await desk.hears(CODES.caller);
  assert.deepEqual(codes, [CODES.caller]);
  await desk.hangUp();
  const diary = await caller.over();
  assert(diary.heard.includes(CODES.page), 'both hear each other');
  // Plain HTTP at that port is no way in, and a page of another origin neither.
  await assert.rejects(fetch(house.https.replace('https', 'http')));
  const foreign = await desk.context.request.post(`${house.https}/api/v1/agent/ready`, { headers: { origin: house.https.replace('https', 'http') } });
  assert.equal(foreign.status(), 403);
  say(`a conversation over ${house.https}`);
}

export const tests = [{ name: 'a desk over TLS', deadline_s: 90, run: overTls }];
