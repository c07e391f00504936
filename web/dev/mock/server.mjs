/** Serves `build/` under the product's security headers, the API and the WebSocket of the mock. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { WebSocketServer } from 'ws';
import { configuration } from './admin.mjs';
import { Floor } from './floor.mjs';
import { answer } from './routes.mjs';
import { parse } from './scenes.mjs';

const BUILD = new URL('../../build/', import.meta.url).pathname;
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.json': 'application/json' };
/** As the product: the names of these files change with what is in them. */
const IMMUTABLE = 'public, max-age=31536000, immutable';
export const POLICY = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'none'";

async function page(path, response) {
  const file = join(BUILD, normalize(path));
  const known = extname(path) !== '' && file.startsWith(BUILD);
  try {
    const body = await readFile(known ? file : join(BUILD, 'index.html'));
    response.writeHead(200, { 'content-type': TYPES[known ? extname(path) : '.html'] ?? 'application/octet-stream', 'content-security-policy': POLICY, 'cache-control': path.startsWith('/_app/immutable/') ? IMMUTABLE : 'no-store' });
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
}

function audio(request, response, data) {
  const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '');
  const start = range ? Number(range[1]) : 0;
  const end = range?.[2] ? Math.min(Number(range[2]), data.length - 1) : data.length - 1;
  const headers = { 'content-type': 'audio/wav', 'accept-ranges': 'bytes', 'content-length': end - start + 1 };
  if (range) headers['content-range'] = `bytes ${start}-${end}/${data.length}`;
  response.writeHead(range ? 206 : 200, headers).end(data.subarray(start, end + 1));
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    return JSON.parse(Buffer.concat(chunks).toString() || 'null');
  } catch {
    return null;
  }
}

/** Starts the mock. `frozen` is the time it always is, for pictures; `times` are those of its floor. */
export async function start({ port = 0, frozen = null, setup = false, times = {} } = {}) {
  const clock = () => frozen ?? Date.now();
  const seats = new Map();
  const sockets = new Map();
  const seat = (name) => {
    if (!name) return null;
    if (!seats.has(name)) {
      const scene = parse(name);
      const tell = (topic, seq, data) => sockets.get(name)?.forEach((socket) => socket.topics.has(topic) && socket.send(JSON.stringify({ type: 'update', topic, seq, data })));
      seats.set(name, { scene, config: configuration(scene.lang, clock(), scene.state === 'empty'), floor: new Floor(scene, clock, tell, times) });
    }
    return seats.get(name);
  };
  const nameOf = (request) => /antiphon_session=([\w.]+)/.exec(request.headers.cookie ?? '')?.[1] ?? null;

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://mock');
    if (!url.pathname.startsWith('/api/v1')) return page(url.pathname, response);
    const name = nameOf(request);
    const own = seat(name);
    if (own?.scene.state === 'slow' && !['/api/v1/me', '/api/v1/desk'].includes(url.pathname)) return undefined;
    const reply = answer({ method: request.method, path: url.pathname.slice(7), query: url.searchParams, body: await bodyOf(request), scene: own?.scene ?? null, ifMatch: request.headers['if-match'] ?? null, floor: own?.floor, config: own?.config, now: clock(), setup: setup || name === null && url.searchParams.has('setup') });
    if (reply.audio) return audio(request, response, reply.audio);
    const headers = { 'content-type': reply.type ?? 'application/json', ...reply.headers };
    if (reply.session !== undefined) headers['set-cookie'] = `antiphon_session=${reply.session}; Path=/; HttpOnly; SameSite=Lax${reply.session ? '' : '; Max-Age=0'}`;
    response.writeHead(reply.status, headers);
    response.end(reply.body === undefined ? undefined : JSON.stringify(reply.body));
    return undefined;
  });

  const wss = new WebSocketServer({ server, path: '/api/v1/ws' });
  wss.on('connection', (socket, request) => {
    const name = nameOf(request);
    const own = seat(name);
    if (!own) return socket.close(4401);
    socket.topics = new Set();
    sockets.set(name, (sockets.get(name) ?? new Set()).add(socket));
    socket.on('close', () => sockets.get(name)?.delete(socket));
    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      if (message.type === 'hello') socket.send(JSON.stringify({ type: 'welcome', server_at: new Date(clock()).toISOString(), build: 'mock' }));
      if (message.type === 'rtc.offer') socket.send(JSON.stringify(own.scene.elsewhere && !message.take ? { type: 'rtc.taken' } : { type: 'rtc.answer', sdp: 'mock' }));
      if (message.type === 'ping') socket.send(JSON.stringify({ type: 'pong' }));
      if (message.type === 'subscribe') {
        for (const topic of message.topics) {
          const state = own.floor.topic(topic);
          socket.topics.add(topic);
          if (state) socket.send(JSON.stringify({ type: 'update', topic, ...state }));
        }
      }
    });
    return undefined;
  });

  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    /** Cuts every socket and refuses new ones: the network is gone. */
    cut() {
      for (const set of sockets.values()) for (const socket of set) socket.terminate();
      wss.shouldHandle = () => false;
    },
    mend() {
      delete wss.shouldHandle;
    },
    /** Somebody lifts the telephone that rings. */
    lift: (name) => seat(name).floor.answered(),
    /** Everybody has left and nothing has happened yet: for the next who comes. */
    fresh(next) {
      wss.clients.forEach((socket) => socket.terminate());
      seats.forEach(({ floor }) => floor.stop());
      seats.clear();
      sockets.clear();
      delete wss.shouldHandle;
      setup = next.setup;
    },
    close: () => new Promise((resolve) => { wss.clients.forEach((socket) => socket.terminate()); server.closeAllConnections(); server.close(resolve); })
  };
}
