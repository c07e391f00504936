//! Prompts and music: a name, and a sound per language.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::config::{Clip, EVERY_LANGUAGE, Prompt, TenantConfig};
use model::media::ClipId;
use model::{PromptId, limits};
use serde::Serialize;
use store::fresh_id;
use tokio::sync::SemaphorePermit;
use utoipa::ToSchema;

use crate::app::App;
use crate::body::{bytes, require_type};
use crate::edit::{
    check_base, check_language, check_name, check_room, edit, hold_without, serves_all,
};
use crate::extract::{IfMatch, Pair, etag};
use crate::guard::{Administrator, Caller};
use crate::page::Page;
use crate::problem::Problem;
use crate::wav;

/// Prompts of one tenant.
const PROMPTS_MAX: usize = 2_000;
/// Languages of one prompt.
const VARIANTS_MAX: usize = 100;
/// The longest upload: `PROMPT_S_MAX` at 48 kHz, stereo, 16 bit, with room for headers.
const UPLOAD_BYTES_MAX: usize = limits::PROMPT_S_MAX as usize * 48_000 * 2 * 2 + 65_536;
/// Samples of a second.
const RATE: usize = 8_000;

/// A prompt.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PromptRow {
    /// The name that flows use.
    name: String,
    /// Language (or `*`) to its sound.
    variants: BTreeMap<String, VariantRow>,
}

/// The sound of one language.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VariantRow {
    length_ms: u32,
}

fn row(prompt: &Prompt) -> PromptRow {
    let variant =
        |(tag, clip): (&String, &Clip)| (tag.clone(), VariantRow { length_ms: clip.length_ms });
    PromptRow { name: prompt.name.clone(), variants: prompt.variants.iter().map(variant).collect() }
}

/// All prompts, by name.
#[utoipa::path(get, path = "/api/v1/prompts", tag = "administration",
    responses((status = 200, body = Page<PromptRow>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Administrator(caller): Administrator,
) -> Result<Response, Problem> {
    let config = app.config(caller.tenant).await?;
    let mut rows: Vec<_> = config.prompts.values().map(row).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((etag(config.n), Json(Page::whole(rows))).into_response())
}

/// Uploads the sound of one language: WAV, any PCM rate up to 48 kHz, at most 600 s.
#[utoipa::path(put, path = "/api/v1/prompts/{name}/{lang}", tag = "administration",
    params(("name" = String, Path), ("lang" = String, Path, description = "BCP 47 tag or *")),
    request_body(content = Vec<u8>, content_type = "audio/wav"),
    responses((status = 200, body = PromptRow), (status = 422, description = "bad_sound")))]
pub(crate) async fn put(
    State(app): State<App>,
    Administrator(caller): Administrator,
    Pair(name, language): Pair<String, String>,
    base: IfMatch,
    request: Request,
) -> Result<Response, Problem> {
    check_name(&name, "/name")?;
    if language != EVERY_LANGUAGE {
        check_language(&language, "/lang")?;
    }
    require_type(&request, "audio/wav")?;
    check_base(&app, &caller, base).await?;
    let clip = keep(&app, &caller, request).await?;
    let now = app.now();
    let summary = format!("record prompt {name} ({language})");
    let edited = edit(&app, &caller, base, summary, |draft| {
        let before_ms = sounds_ms(&draft.config);
        let prompts = &mut draft.config.prompts;
        let known = prompts.iter().find(|(_, prompt)| prompt.name == name).map(|(id, _)| *id);
        let id = match known {
            Some(id) => id,
            None => {
                check_room(prompts.len(), PROMPTS_MAX, "prompts")?;
                fresh_id::<PromptId>(now)
            }
        };
        let fresh = || Prompt { name: name.clone(), variants: BTreeMap::new() };
        let prompt = prompts.entry(id).or_insert_with(fresh);
        if !prompt.variants.contains_key(&language) {
            check_room(prompt.variants.len(), VARIANTS_MAX, "languages of a prompt")?;
        }
        prompt.variants.insert(language, clip);
        let row = row(prompt);
        check_total(before_ms, sounds_ms(&draft.config))?;
        Ok(row)
    })
    .await?;
    Ok((etag(edited.config.n), Json(edited.value)).into_response())
}

/// Removes the sound of one language, with the last one the prompt. What a published flow speaks or
/// a queue plays keeps a sound that every caller can fall back on.
#[utoipa::path(delete, path = "/api/v1/prompts/{name}/{lang}", tag = "administration",
    params(("name" = String, Path), ("lang" = String, Path)),
    responses((status = 204), (status = 409, description = "in_use")))]
pub(crate) async fn remove(
    State(app): State<App>,
    Administrator(caller): Administrator,
    Pair(name, language): Pair<String, String>,
    base: IfMatch,
) -> Result<Response, Problem> {
    let floor = Arc::clone(&app.floor);
    let summary = format!("remove prompt {name} ({language})");
    let edited = edit(&app, &caller, base, summary, |draft| {
        let config = &mut draft.config;
        let known = config.prompts.iter_mut().find(|(_, prompt)| prompt.name == name);
        let (id, prompt) = known.ok_or_else(Problem::not_found)?;
        let id = *id;
        prompt.variants.remove(&language).ok_or_else(Problem::not_found)?;
        if !serves_all(prompt, &config.language) {
            hold_without(floor.as_ref(), config, &[id].into())?;
        }
        if config.prompts.get(&id).is_some_and(|prompt| prompt.variants.is_empty()) {
            config.prompts.remove(&id);
        }
        Ok(())
    })
    .await?;
    Ok((StatusCode::NO_CONTENT, etag(edited.config.n)).into_response())
}

/// How long all sounds last, each counted once, milliseconds: they are in memory while the tenant
/// runs.
fn sounds_ms(config: &TenantConfig) -> i64 {
    let variants = config.prompts.values().flat_map(|prompt| prompt.variants.values());
    let lengths: BTreeMap<ClipId, u32> =
        variants.map(|variant| (variant.clip, variant.length_ms)).collect();
    lengths.values().map(|length_ms| i64::from(*length_ms)).sum()
}

/// A company over the limit may put shorter sounds in place of longer ones.
fn check_total(before_ms: i64, after_ms: i64) -> Result<(), Problem> {
    if after_ms <= limits::PROMPTS_MS_PER_TENANT_MAX || after_ms <= before_ms {
        return Ok(());
    }
    let minutes = limits::PROMPTS_MS_PER_TENANT_MAX / 60_000;
    let detail = format!("All sounds together last up to {minutes} minutes. Remove some first.");
    Err(Problem::unprocessable("limit", detail))
}

/// Reads a sound, brings it into our form and keeps it.
async fn keep(app: &App, caller: &Caller, request: Request) -> Result<Clip, Problem> {
    let _place = place(app).await?;
    let upload = bytes(request, UPLOAD_BYTES_MAX).await?;
    let sound = Arc::clone(&app.sound);
    let samples = tokio::task::spawn_blocking(move || sound.normalise(&upload))
        .await
        .map_err(|_| Problem::internal())??;
    let most = limits::PROMPT_S_MAX as usize * RATE;
    if samples.is_empty() || samples.len() > most {
        let detail = format!("A prompt lasts up to {} seconds.", limits::PROMPT_S_MAX);
        return Err(Problem::unprocessable("bad_sound", detail));
    }
    let length_ms = u32::try_from(samples.len() * 1_000 / RATE).unwrap_or(u32::MAX);
    let raw = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    Ok(Clip { clip: app.db(caller).put_blob(raw, app.now()).await?, length_ms })
}

/// Room to hold a sound: a hundred megabytes and more each.
async fn place(app: &App) -> Result<SemaphorePermit<'_>, Problem> {
    let wait = Duration::from_millis(limits::UPLOAD_WAIT_MS_MAX);
    match tokio::time::timeout(wait, app.uploads.acquire()).await {
        Ok(place) => place.map_err(|_| Problem::internal()),
        Err(_) => {
            let detail = "Other sounds are being uploaded. Try again shortly.";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail).retry(5))
        }
    }
}

/// The sound of one language as WAV, 8 kHz mono 16 bit.
#[utoipa::path(get, path = "/api/v1/prompts/{name}/{lang}", tag = "administration",
    params(("name" = String, Path), ("lang" = String, Path)),
    responses((status = 200, content_type = "audio/wav")))]
pub(crate) async fn play(
    State(app): State<App>,
    Administrator(caller): Administrator,
    Pair(name, language): Pair<String, String>,
) -> Result<Response, Problem> {
    let config = app.config(caller.tenant).await?;
    let prompt = config.prompts.values().find(|prompt| prompt.name == name);
    let clip = prompt.and_then(|prompt| prompt.variants.get(&language));
    let clip = clip.ok_or_else(Problem::not_found)?;
    let samples = app.db(&caller).blob(clip.clip).await?;
    let wav = wav::mono_8k(&samples);
    Ok(([(header::CONTENT_TYPE, "audio/wav")], Body::from(wav)).into_response())
}
