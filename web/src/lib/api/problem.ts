import type { Fault } from './types';

/** A refusal of the server (RFC 9457), or the network's. Shown to people by its code. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly requestId: string | null;
  readonly errors: Fault[];
  /** Seconds after which it makes sense to try again. */
  readonly retryAfter: number | null;

  constructor(init: {
    status: number;
    code: string;
    detail?: string;
    requestId?: string | null;
    errors?: Fault[];
    retryAfter?: number | null;
  }) {
    super(init.detail ?? init.code);
    this.name = 'Problem';
    this.status = init.status;
    this.code = init.code;
    this.detail = init.detail ?? '';
    this.requestId = init.requestId ?? null;
    this.errors = init.errors ?? [];
    this.retryAfter = init.retryAfter ?? null;
  }

  /** Whatever was thrown, as a problem. */
  static of(thrown: unknown): Problem {
    if (thrown instanceof Problem) return thrown;
    return new Problem({ status: 0, code: 'internal', detail: String(thrown) });
  }
}

/** Reads the body of a refused response; a body that is no problem document still gives a code. */
export async function problemOf(response: Response): Promise<Problem> {
  const retry = Number(response.headers.get('retry-after'));
  const base = {
    status: response.status,
    requestId: response.headers.get('x-request-id'),
    retryAfter: Number.isFinite(retry) && retry > 0 ? retry : null
  };
  try {
    const body = (await response.json()) as Record<string, unknown>;
    return new Problem({
      ...base,
      code: typeof body['code'] === 'string' ? body['code'] : `http_${response.status}`,
      detail: typeof body['detail'] === 'string' ? body['detail'] : '',
      requestId: typeof body['request_id'] === 'string' ? body['request_id'] : base.requestId,
      errors: Array.isArray(body['errors']) ? (body['errors'] as Fault[]) : []
    });
  } catch {
    return new Problem({ ...base, code: `http_${response.status}` });
  }
}
