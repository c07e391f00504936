import type { Fault, Problem } from '$lib/api';
import { fmt, m } from '$lib/i18n';

const TEXTS: Record<string, () => string> = {
  unreachable: m.problem_unreachable,
  not_found: m.problem_not_found,
  offer_gone: m.problem_offer_gone,
  wrong_state: m.problem_wrong_state,
  no_device: m.problem_no_device,
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
  bad_language: m.problem_bad_language,
  bad_calendar: m.problem_bad_calendar,
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

/** One plain sentence for a refusal, in the language of the screen. */
export function problemText(problem: Problem): string {
  if (problem.status === 429) return m.problem_too_many({ n: fmt.num(problem.retryAfter ?? 60) });
  return textOf(problem);
}

function textOf({ code, detail }: Pick<Problem, 'code' | 'detail'>): string {
  return TEXTS[code]?.() ?? (detail || m.problem_other());
}

/** What a refusal says about one field: its place is named, or its code is one that is only about this field. */
export function fieldText(problem: Problem | null, pointer: string, ...codes: string[]): string | undefined {
  const fault = problem?.errors.find((one) => one.pointer === pointer || one.pointer.startsWith(`${pointer}/`));
  if (fault) return textOf(fault);
  return problem && codes.includes(problem.code) ? problemText(problem) : undefined;
}

/** The places of a refusal that its sentence does not tell already. */
export function placesOf(problem: Problem): Fault[] {
  const [only, ...more] = problem.errors;
  return only && more.length === 0 && only.code === problem.code && only.code in TEXTS ? [] : problem.errors;
}
