//! How long a session goes on: pages that are open keep it, up to an age, and nobody is cut off
//! from a customer.

use model::view::AgentView;
use model::{AgentId, Span, TenantId, Timestamp, Topic, limits};
use store::Term;

use crate::app::App;
use crate::guard::Caller;
use crate::ports::TopicData;

/// How long a new session goes on, and each one from the last look at an open page on.
pub(crate) const SESSION_LASTS: Span = Span::from_millis(limits::SESSION_IDLE_MS);
/// How long a browser keeps the cookie: longer than any session, whose end only the record knows.
pub(crate) const COOKIE_LASTS: Span =
    Span::from_millis(limits::SESSION_AGE_MS_MAX + limits::CALL_MS_MAX + limits::WRAP_UP_MS_MAX);
/// How far a session that is too old goes on while its person holds a contact.
const CONTACT_LASTS: Span = Span::from_secs(30 * 60);
/// The least that is worth writing: pages look every few seconds.
const STEP: Span = Span::from_secs(15 * 60);

/// Until when a session goes on whose page is open; `None` when that is hardly later.
fn prolonged(term: Term, on_contact: bool, now: Timestamp) -> Option<Timestamp> {
    let oldest = term.began_at + Span::from_millis(limits::SESSION_AGE_MS_MAX);
    let until = (now + SESSION_LASTS).min(oldest);
    let until = if on_contact { until.max(now + CONTACT_LASTS) } else { until };
    (until.since(term.expires_at) >= STEP).then_some(until)
}

/// Keeps the session of an open page.
pub(crate) async fn keep(app: &App, caller: &Caller) {
    let (Some(term), Some(user)) = (caller.term, &caller.user) else { return };
    let on_contact = holds_contact(app, caller.tenant, AgentId::of_user(user.id));
    let Some(until) = prolonged(term, on_contact, app.now()) else { return };
    if let Err(error) = app.store.prolong_session(caller.token, until).await {
        // The next look tries again, long before the end.
        tracing::debug!(%error, "a session was not prolonged");
    }
}

/// Whether somebody talks with a customer, or ends a contact in writing.
pub(crate) fn holds_contact(app: &App, tenant: TenantId, agent: AgentId) -> bool {
    let holds = |view: &AgentView| view.call.is_some() || view.wrap_up.is_some();
    match app.floor.latest(tenant, Topic::Agent(agent)).map(|update| update.data) {
        Some(TopicData::Agent(view)) => holds(&view),
        Some(TopicData::Queue(_) | TopicData::Record(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_its_session_up_to_an_age_and_a_contact_beyond() {
        let at = |minutes: i64| Timestamp::default() + Span::from_secs(minutes * 60);
        let term = |expires: i64| Term { began_at: at(0), expires_at: at(expires) };
        for (expires, on_contact, now, until) in [
            (720, false, 10, None),
            (720, false, 15, Some(735)),
            (735, false, 660, Some(1_380)),
            (1_380, false, 800, Some(1_440)),
            (1_440, false, 1_430, None),
            (1_440, true, 1_410, None),
            (1_440, true, 1_425, Some(1_455)),
            (1_800, true, 1_790, Some(1_820)),
            (1_820, false, 1_810, None),
        ] {
            let found = prolonged(term(expires), on_contact, at(now));
            assert_eq!(found, until.map(at), "{expires} {on_contact} {now}");
        }
    }
}
