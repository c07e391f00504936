//! Changing the configuration: one edit, checked as a whole, told to the cell.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::StatusCode;
use model::config::{Prompt, Queue, TenantConfig, tongues};
use model::{PromptId, limits};
use store::{ConfigDraft, Edit, Edited, StoreError};

use crate::app::App;
use crate::extract::IfMatch;
use crate::guard::Caller;
use crate::problem::{Fault, Problem};

/// Carries out one edit and tells the cell.
pub(crate) async fn edit<T>(
    app: &App,
    caller: &Caller,
    base: IfMatch,
    summary: String,
    change: impl FnOnce(&mut ConfigDraft) -> Result<T, Problem>,
) -> Result<Edited<T>, Problem> {
    let edit = Edit { expected: base.0, summary, at: app.now() };
    let floor = Arc::clone(&app.floor);
    let edited = app
        .db(caller)
        .edit_config(edit, |draft| {
            let value = change(draft)?;
            published_flows_hold(floor.as_ref(), &draft.config)?;
            Ok::<_, Problem>(value)
        })
        .await?;
    app.floor.config_changed(caller.tenant).await;
    Ok(edited)
}

/// Fails when an edit is stale already, before anything is done for it. The edit looks again.
pub(crate) async fn check_base(app: &App, caller: &Caller, base: IfMatch) -> Result<(), Problem> {
    let current = app.config(caller.tenant).await?.n;
    match base.0 {
        Some(expected) if expected != current => Err(StoreError::Stale { current }.into()),
        Some(_) | None => Ok(()),
    }
}

/// A flow in force may not lose what it names: callers would fall out of it.
fn published_flows_hold(
    floor: &dyn crate::ports::Floor,
    config: &TenantConfig,
) -> Result<(), Problem> {
    for flow in config.flows.values() {
        let document = serde_json::to_string(&*flow.flow).map_err(|_| Problem::internal())?;
        if let Err(faults) = floor.check_flow(&document, config) {
            let detail = format!("The published flow {:?} would no longer work.", flow.name);
            let mut problem = Problem::conflict("in_use", detail);
            problem.errors = faults.into_iter().map(Fault::from).collect();
            return Err(problem);
        }
    }
    Ok(())
}

/// Whether callers of every language have a sound to fall back on.
pub(crate) fn serves_all(prompt: &Prompt, company: &str) -> bool {
    tongues(company, company).iter().any(|tag| prompt.variants.contains_key(*tag))
}

/// Fails when a published flow speaks one of these prompts, or a queue plays it.
pub(crate) fn hold_without(
    floor: &dyn crate::ports::Floor,
    config: &TenantConfig,
    prompts: &BTreeSet<PromptId>,
) -> Result<(), Problem> {
    let mut without = config.clone();
    let gone = prompts.iter().filter_map(|id| without.prompts.remove(id));
    let names: BTreeSet<String> = gone.map(|prompt| prompt.name).collect();
    if names.is_empty() {
        return Ok(());
    }
    if let Some(queue) = config.queues.values().find(|queue| names.contains(&queue.music)) {
        let Queue { name, music, .. } = queue;
        let detail = format!("The queue {name:?} plays {music:?}. Choose other music there first.");
        return Err(Problem::conflict("in_use", detail));
    }
    published_flows_hold(floor, &without)
}

/// Fails unless a name is 1 to `NAME_CHARS_MAX` characters without outer blanks or controls.
pub(crate) fn check_name(name: &str, pointer: &str) -> Result<(), Problem> {
    let fits = (1..=limits::NAME_CHARS_MAX).contains(&name.chars().count())
        && name.trim() == name
        && !name.chars().any(char::is_control);
    if fits {
        Ok(())
    } else {
        let detail = format!(
            "A name has 1 to {} characters and no blanks around it.",
            limits::NAME_CHARS_MAX
        );
        Err(Problem::unprocessable("bad_name", detail).at(pointer))
    }
}

/// Fails unless a language is a plain BCP 47 tag.
pub(crate) fn check_language(tag: &str, pointer: &str) -> Result<(), Problem> {
    let mut parts = tag.split('-');
    // A language has two or three letters (RFC 5646 section 2.2.1); longer ones are words.
    let language = parts.next().unwrap_or_default();
    let fits = tag.len() <= 35
        && (2..=3).contains(&language.len())
        && language.bytes().all(|b| b.is_ascii_alphabetic())
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        });
    if fits {
        Ok(())
    } else {
        let detail = "A language is a BCP 47 tag like en, fa or pt-BR.";
        Err(Problem::unprocessable("bad_language", detail).at(pointer))
    }
}

/// Fails when a kind of thing is at its limit.
pub(crate) fn check_room(has: usize, most: usize, what: &str) -> Result<(), Problem> {
    if has < most {
        Ok(())
    } else {
        let detail = format!("There may be at most {most} {what}.");
        Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "limit", detail))
    }
}
