import { Problem, type Fault } from '$lib/api';
import { fmt, m } from '$lib/i18n';

const TEXTS: Record<string, () => string> = {
  unreachable: m.problem_unreachable,
  not_found: m.problem_not_found,
  offer_gone: m.problem_offer_gone,
  wrong_state: m.problem_wrong_state,
  not_free: m.problem_not_free,
  no_device: m.problem_no_device,
  no_phone: m.problem_no_phone,
  unknown_choice: m.problem_unknown_choice,
  overloaded: m.problem_overloaded,
  not_saved: m.problem_not_saved,
  disk_full: m.problem_disk_full,
  bad_credentials: m.problem_bad_credentials,
  bad_token: m.problem_bad_token,
  weak_password: m.problem_weak_password,
  wrong_password: m.problem_wrong_password,
  mail_taken: m.problem_mail_taken,
  name_taken: m.problem_name_taken,
  oneself: m.problem_oneself,
  on_contact: m.problem_on_contact,
  last_administrator: m.problem_last_administrator,
  bad_mail: m.problem_bad_mail,
  bad_number: m.problem_bad_number,
  bad_sound: m.problem_bad_sound,
  limit: m.problem_limit,
  stale: m.problem_stale,
  bad_name: m.problem_bad_name,
  bad_address: m.problem_bad_address,
  bad_zone: m.problem_bad_zone,
  unknown_zone: m.problem_bad_zone,
  bad_language: m.problem_bad_language,
  bad_calendar: m.problem_bad_calendar,
  bad_interval: m.hours_wrong,
  overlap: m.hours_wrong,
  bad_flow: m.problem_bad_flow,
  unknown_flow: m.problem_unknown_flow,
  unknown_queue: m.problem_unknown_queue,
  unknown_prompt: m.problem_unknown_prompt,
  duplicate: m.code_twice,
  too_long: m.problem_too_long,
  bad_length: m.problem_bad_length,
  bad_level: m.problem_bad_level,
  out_of_range: m.problem_out_of_range,
  not_spoken: m.problem_not_spoken,
  no_seat: m.problem_no_seat,
  too_large: m.problem_too_large,
  wrong_type: m.problem_wrong_type,
  in_progress: m.problem_in_progress,
  too_slow: m.problem_too_slow,
  forbidden: m.no_permission_why,
  in_use: m.problem_in_use,
  internal: m.problem_internal,
  http_500: m.problem_internal,
  http_404: m.problem_not_found
};

/** Codes that are about one field, whose place the server does not name. */
const PLACES: Record<string, string> = { mail_taken: '/mail', name_taken: '/name', bad_token: '/token' };

/** One plain sentence for a refusal, in the language of the screen. */
export function problemText(problem: Problem): string {
  if (problem.status === 429) return m.problem_too_many({ n: fmt.num(problem.retryAfter ?? 60) });
  return faultText(problem);
}

/** The same for one of its faults. */
export function faultText({ code, detail }: Pick<Problem, 'code' | 'detail'>): string {
  return TEXTS[code]?.() ?? (detail || m.problem_other());
}

function faultsOf({ code, detail, errors }: Problem): Fault[] {
  const pointer = PLACES[code];
  return errors.length === 0 && pointer !== undefined ? [{ pointer, code, detail }] : errors;
}

const within = (fault: Fault, pointer: string) => fault.pointer === pointer || fault.pointer.startsWith(`${pointer}/`);

/** What a refusal says about one field. */
export function fieldText(problem: Problem | null, pointer: string): string | undefined {
  const fault = problem && faultsOf(problem).find((one) => within(one, pointer));
  return fault ? faultText(fault) : undefined;
}

/** The faults of a refusal that are told nowhere else: the form tells those within `shown` at their fields. */
export function elsewhere(problem: Problem, shown: readonly string[]): Fault[] {
  return faultsOf(problem).filter((fault) => !shown.some((pointer) => within(fault, pointer)));
}

/**
 * What is left of a refusal while its document is mended: a fault is over once another value than the
 * one that was sent stands at its place, and with the last of them the refusal.
 */
export function standing(problem: Problem | null, sent: unknown, now: unknown): Problem | null {
  const faults = problem ? faultsOf(problem) : [];
  const errors = faults.filter(({ pointer }) => valueAt(sent, pointer) === valueAt(now, pointer));
  if (!problem || errors.length === faults.length) return problem;
  return errors.length > 0 ? new Problem({ ...problem, errors }) : null;
}

/** The value at a JSON pointer (RFC 6901), as text to compare. */
function valueAt(document: unknown, pointer: string): string | undefined {
  const keys = pointer.split('/').slice(1).map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  return JSON.stringify(keys.reduce<unknown>((at, key) => (at as Record<string, unknown> | null | undefined)?.[key], document));
}
