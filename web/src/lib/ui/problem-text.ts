import type { Problem } from '$lib/api';
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
  forbidden: m.no_permission_why,
  in_use: m.problem_in_use,
  internal: m.problem_internal,
  http_500: m.problem_internal,
  http_404: m.problem_not_found
};

/** One plain sentence for a refusal, in the language of the screen. */
export function problemText(problem: Problem): string {
  if (problem.status === 429) return m.problem_too_many({ n: fmt.num(problem.retryAfter ?? 60) });
  const known = TEXTS[problem.code];
  if (known) return known();
  return problem.detail || m.problem_other();
}
