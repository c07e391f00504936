//! `Idempotency-Key`: a command that is sent twice is carried out once, and the second sender
//! hears the first answer.
//!
//! In memory: commands act on live state that ends with the process too.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use model::{Span, Timestamp, limits};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::body::bytes;
use crate::guard;
use crate::problem::Problem;

/// How long an answer is remembered.
const REMEMBERED: Span = Span::from_secs(24 * 3_600);
/// Answers remembered; the oldest leave first.
const ANSWERS_MAX: usize = 20_000;
/// Characters of a key.
const KEY_CHARS_MAX: usize = 128;
/// Bytes of an answer that is worth remembering; a longer one is not repeated.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;

type Fingerprint = [u8; 32];

#[derive(Debug, Clone)]
enum Entry {
    /// The first request is still at work.
    Working,
    Done(Answer),
}

#[derive(Debug, Clone)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

#[derive(Debug, Clone)]
struct Known {
    at: Timestamp,
    request: Fingerprint,
    entry: Entry,
}

/// The answers given.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    known: Mutex<(HashMap<Fingerprint, Known>, VecDeque<Fingerprint>)>,
}

impl Answers {
    /// Claims a key for a request; an answer when it was used before.
    fn claim(
        &self,
        key: Fingerprint,
        request: Fingerprint,
        now: Timestamp,
    ) -> Option<Result<Answer, Problem>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (by_key, order) = &mut *known;
        while let Some(oldest) = order.front().copied() {
            let stale = by_key.get(&oldest).is_none_or(|known| now.since(known.at) >= REMEMBERED);
            if !stale && order.len() < ANSWERS_MAX {
                break;
            }
            order.pop_front();
            by_key.remove(&oldest);
        }
        match by_key.get(&key) {
            Some(known) if known.request != request => Some(Err(Problem::conflict(
                "key_reused",
                "This Idempotency-Key belongs to another request. Use a new key.",
            ))),
            Some(Known { entry: Entry::Done(answer), .. }) => Some(Ok(answer.clone())),
            Some(_) => Some(Err(Problem::conflict(
                "in_progress",
                "The same request is being worked on. Ask again shortly.",
            )
            .retry(1))),
            None => {
                by_key.insert(key, Known { at: now, request, entry: Entry::Working });
                order.push_back(key);
                None
            }
        }
    }

    /// Remembers an answer, or frees the key when it is worth another try.
    fn settle(&self, key: Fingerprint, answer: Option<Answer>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Some(answer) => {
                if let Some(known) = known.0.get_mut(&key) {
                    known.entry = Entry::Done(answer);
                }
            }
            None => _ = known.0.remove(&key),
        }
    }
}

/// Frees a key whose request was cut off before it had an answer.
struct Claim<'a> {
    answers: &'a Answers,
    key: Fingerprint,
    settled: bool,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.answers.settle(self.key, None);
        }
    }
}

/// The layer around all routes of the API.
pub(crate) async fn once(State(app): State<App>, request: Request, next: Next) -> Response {
    match try_once(&app, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn try_once(app: &App, request: Request, next: Next) -> Result<Response, Problem> {
    let Some(key) = key_of(&request)? else { return Ok(next.run(request).await) };
    let (parts, body) = request.into_parts();
    // Only for somebody recognised: the key is theirs alone.
    let Some(caller) = guard::identify(&parts, app).await? else {
        return Err(Problem::no_session());
    };
    let body = bytes(Request::new(body), limits::HTTP_BODY_BYTES_MAX).await?;
    let key = digest(&[caller.token.to_hex().as_bytes(), key.as_bytes()]);
    let path = parts.uri.to_string();
    let request = digest(&[parts.method.as_str().as_bytes(), path.as_bytes(), &body]);
    if let Some(known) = app.answers.claim(key, request, app.now()) {
        return known.map(Answer::into_response);
    }
    let mut claim = Claim { answers: &app.answers, key, settled: false };
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let (response, answer) = remember(response).await?;
    app.answers.settle(key, answer);
    claim.settled = true;
    Ok(response)
}

/// Splits a response into itself and what to remember of it. Refusals are decided anew.
async fn remember(response: Response) -> Result<(Response, Option<Answer>), Problem> {
    if !response.status().is_success() {
        return Ok((response, None));
    }
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.map_err(|_| Problem::internal())?;
    let mut headers = HeaderMap::new();
    for name in [header::CONTENT_TYPE, header::ETAG, header::LOCATION] {
        if let Some(value) = parts.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    let fits = body.len() <= ANSWER_BYTES_MAX;
    let answer = fits.then(|| Answer { status: parts.status, headers, body: body.clone() });
    Ok((Response::from_parts(parts, Body::from(body)), answer))
}

impl Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.headers, self.body).into_response();
        response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
        response
    }
}

fn key_of(request: &Request) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get("idempotency-key") else { return Ok(None) };
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(None);
    }
    let text = value.to_str().unwrap_or("");
    if (1..=KEY_CHARS_MAX).contains(&text.len()) {
        Ok(Some(text.to_owned()))
    } else {
        let detail = "An Idempotency-Key has 1 to 128 visible characters.";
        Err(Problem::bad_request("bad_key", detail))
    }
}

fn digest(parts: &[&[u8]]) -> Fingerprint {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}
