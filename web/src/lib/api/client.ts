/** The one door to `/api/v1`: JSON both ways, refusals as [`Problem`], commands sent once. */
import { Problem, problemOf } from './problem';

export interface Options {
  query?: Record<string, string | number | boolean | null | undefined>;
  body?: unknown;
  /** The ETag that the edit was based on. */
  ifMatch?: string | null | undefined;
  signal?: AbortSignal;
  /** A command: repeating it after a lost answer must not do it twice. */
  once?: boolean;
}

export interface Reply<T> {
  data: T;
  etag: string | null;
}

/** Milliseconds until a request that gets no answer is given up. */
const PATIENCE_MS = 15_000;
/** The slowest upload that is worth waiting for; the server waits as long. */
const UPLOAD_BYTES_PER_S_MIN = 64 * 1024;

/** How long a request may take: a sound of many megabytes gets the time of a slow line. */
export function patienceMs(body: unknown): number {
  return PATIENCE_MS + (body instanceof Blob ? Math.ceil((body.size / UPLOAD_BYTES_PER_S_MIN) * 1000) : 0);
}

type Listener = (problem: Problem) => void;
const listeners = new Set<Listener>();

/** Called for every refusal with 401 outside signing in: the session is over. */
export function onSessionOver(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function url(path: string, query: Options['query'] = {}): string {
  const pairs = Object.entries(query)
    .filter(([, value]) => value !== undefined && value !== null && value !== '')
    .map(([key, value]): [string, string] => [key, String(value)]);
  const search = new URLSearchParams(pairs).toString();
  return `/api/v1${path}${search ? `?${search}` : ''}`;
}

async function send(method: string, path: string, options: Options, key: string | null): Promise<Response> {
  const headers = new Headers({ accept: 'application/json' });
  let body: BodyInit | null = null;
  if (options.body instanceof Blob) {
    body = options.body;
    headers.set('content-type', 'audio/wav');
  } else if (options.body !== undefined) {
    body = JSON.stringify(options.body);
    headers.set('content-type', 'application/json');
  }
  if (options.ifMatch) headers.set('if-match', options.ifMatch);
  if (key) headers.set('idempotency-key', key);
  const timeout = AbortSignal.timeout(patienceMs(options.body));
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  const init: RequestInit = { method, headers, body, signal, credentials: 'same-origin', cache: 'no-store' };
  try {
    return await fetch(url(path, options.query), init);
  } catch (thrown) {
    if (options.signal?.aborted) throw thrown;
    // A command carries its key, so that one more try is safe.
    if (options.once && !timeout.aborted) {
      try {
        return await fetch(url(path, options.query), init);
      } catch {
        // Reported below like the first failure.
      }
    }
    throw new Problem({ status: 0, code: 'unreachable', detail: String(thrown) });
  }
}

/** Times that a command is asked after which is still at work, each after the time the server names. */
const ASKS_MAX = 10;

/** The answer to a command whose first try may still be at work: the same key asks for it again. */
async function settled(method: string, path: string, options: Options): Promise<Response> {
  const key = options.once ? crypto.randomUUID() : null;
  for (let asks = 0; ; asks += 1) {
    const response = await send(method, path, options, key);
    if (response.status !== 409 || !key || asks >= ASKS_MAX) return response;
    const problem = await problemOf(response.clone());
    if (problem.code !== 'in_progress') return response;
    await new Promise((resolve) => setTimeout(resolve, (problem.retryAfter ?? 1) * 1000));
  }
}

export async function request<T>(method: string, path: string, options: Options = {}): Promise<Reply<T>> {
  const response = await settled(method, path, options);
  if (!response.ok) {
    const problem = await problemOf(response);
    if (response.status === 401 && problem.code !== 'bad_credentials') {
      for (const listener of listeners) listener(problem);
    }
    throw problem;
  }
  const etag = response.headers.get('etag');
  const text = await response.text();
  return { data: (text ? JSON.parse(text) : undefined) as T, etag };
}

export async function get<T>(path: string, options: Options = {}): Promise<T> {
  return (await request<T>('GET', path, options)).data;
}

/** Pages of a list that are read at most, of 200 rows each. */
const PAGES_MAX = 50;

/** A list read page by page, to its end or until a page has `enough`. */
export async function pages<T>(path: string, enough: (items: T[]) => boolean = () => false): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | null | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { items, next_cursor } = await get<{ items: T[]; next_cursor?: string | null }>(path, { query: { limit: 200, cursor } });
    all.push(...items);
    cursor = next_cursor;
    if (!cursor || enough(items)) break;
  }
  return all;
}

/** A command without an answer. */
export async function command(path: string, body?: unknown): Promise<void> {
  await request<void>('POST', path, { body, once: true });
}
