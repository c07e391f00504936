//! `Idempotency-Key`: a command that is sent twice is carried out once, and the second sender
//! hears the first answer.
//!
//! In memory: commands act on live state that ends with the process too. The entrances, where
//! nobody is recognised yet, and uploads of sound, which change nothing when they are repeated, go
//! past it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use model::{Span, TenantId, Timestamp, limits};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::body::bytes;
use crate::guard;
use crate::problem::Problem;

/// How long an answer is remembered.
const REMEMBERED: Span = Span::from_secs(24 * 3_600);
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

/// Whose key it is: a person or a program.
type Account = (TenantId, String);

#[derive(Debug)]
struct Known {
    /// Its place among all, oldest first.
    n: u64,
    at: Timestamp,
    account: Account,
    request: Fingerprint,
    entry: Entry,
}

impl Known {
    fn bytes(&self) -> usize {
        match &self.entry {
            Entry::Working => 0,
            Entry::Done(answer) => answer.body.len(),
        }
    }

    /// What whoever uses the key again is told.
    fn answer_to(&self, request: Fingerprint) -> Result<Answer, Problem> {
        if self.request != request {
            let detail = "This Idempotency-Key belongs to another request. Use a new key.";
            return Err(Problem::conflict("key_reused", detail));
        }
        match &self.entry {
            Entry::Done(answer) => Ok(answer.clone()),
            Entry::Working => {
                let detail = "The same request is being worked on. Ask again shortly.";
                Err(Problem::conflict("in_progress", detail).retry(1))
            }
        }
    }
}

/// The answers given.
#[derive(Debug, Default)]
pub(crate) struct Answers(Mutex<Memory>);

/// Invariant: `known`, `order` and `of_account` hold the same keys, and `bytes` is the sum of the
/// answers in `known`.
#[derive(Debug, Default)]
struct Memory {
    known: HashMap<Fingerprint, Known>,
    order: BTreeMap<u64, Fingerprint>,
    of_account: BTreeMap<Account, BTreeMap<u64, Fingerprint>>,
    bytes: usize,
    next: u64,
}

impl Memory {
    fn forget(&mut self, key: Fingerprint) {
        let Some(gone) = self.known.remove(&key) else { return };
        self.bytes -= gone.bytes();
        self.order.remove(&gone.n);
        if let Some(own) = self.of_account.get_mut(&gone.account) {
            own.remove(&gone.n);
            if own.is_empty() {
                self.of_account.remove(&gone.account);
            }
        }
    }

    /// The oldest key that has its answer: what is at work must not be done twice.
    fn oldest_done(&self, keys: &BTreeMap<u64, Fingerprint>) -> Option<Fingerprint> {
        let done = |key: &&Fingerprint| {
            self.known.get(*key).is_some_and(|known| matches!(known.entry, Entry::Done(_)))
        };
        keys.values().find(done).copied()
    }

    fn forget_stale(&mut self, now: Timestamp) {
        while let Some((_, key)) = self.order.first_key_value() {
            let key = *key;
            if self.known.get(&key).is_some_and(|known| now.since(known.at) < REMEMBERED) {
                break;
            }
            self.forget(key);
        }
    }

    /// Makes room for one more of an account; whether there is any.
    fn make_room(&mut self, account: &Account) -> bool {
        let own = self.of_account.get(account);
        if own.is_some_and(|own| own.len() >= limits::IDEMPOTENT_ANSWERS_PER_ACCOUNT_MAX) {
            let Some(oldest) = own.and_then(|own| self.oldest_done(own)) else { return false };
            self.forget(oldest);
        }
        if self.known.len() >= limits::IDEMPOTENT_ANSWERS_MAX {
            let Some(oldest) = self.oldest_done(&self.order) else { return false };
            self.forget(oldest);
        }
        true
    }

    fn keep(&mut self, key: Fingerprint, answer: Answer) {
        let Some(known) = self.known.get_mut(&key) else { return };
        self.bytes += answer.body.len();
        known.entry = Entry::Done(answer);
        while self.bytes > limits::IDEMPOTENT_BYTES_MAX {
            let Some(oldest) = self.oldest_done(&self.order) else { return };
            self.forget(oldest);
        }
    }
}

impl Answers {
    /// Claims a key for a request; an answer when it was used before.
    fn claim(
        &self,
        key: Fingerprint,
        account: Account,
        request: Fingerprint,
        now: Timestamp,
    ) -> Option<Result<Answer, Problem>> {
        let mut memory = self.memory();
        memory.forget_stale(now);
        if let Some(known) = memory.known.get(&key) {
            return Some(known.answer_to(request));
        }
        if !memory.make_room(&account) {
            let detail = "Too many requests are at work. Ask again shortly.";
            let status = StatusCode::TOO_MANY_REQUESTS;
            return Some(Err(Problem::new(status, "overloaded", detail).retry(1)));
        }
        let n = memory.next;
        memory.next += 1;
        memory.order.insert(n, key);
        memory.of_account.entry(account.clone()).or_default().insert(n, key);
        let entry = Entry::Working;
        memory.known.insert(key, Known { n, at: now, account, request, entry });
        None
    }

    /// Remembers an answer, or frees the key when it is worth another try.
    fn settle(&self, key: Fingerprint, answer: Option<Answer>) {
        let mut memory = self.memory();
        match answer {
            Some(answer) => memory.keep(key, answer),
            None => memory.forget(key),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    if is_sound(request.headers()) {
        return Ok(next.run(request).await);
    }
    let (parts, body) = request.into_parts();
    // Only for somebody recognised: the key is theirs alone.
    let Some(caller) = guard::identify(&parts, app).await? else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let body = bytes(Request::new(body), limits::HTTP_BODY_BYTES_MAX).await?;
    let key = digest(&[caller.token.to_hex().as_bytes(), key.as_bytes()]);
    let path = parts.uri.to_string();
    let request = digest(&[parts.method.as_str().as_bytes(), path.as_bytes(), &body]);
    let account = (caller.tenant, caller.actor.to_string());
    if let Some(known) = app.answers.claim(key, account, request, app.now()) {
        return known.map(Answer::into_response);
    }
    let mut claim = Claim { answers: &app.answers, key, settled: false };
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let (response, answer) = remember(response).await?;
    app.answers.settle(key, answer);
    claim.settled = true;
    Ok(response)
}

/// Whether the body is a sound: too large to be read here.
fn is_sound(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    kind.get(..6).is_some_and(|kind| kind.eq_ignore_ascii_case(b"audio/"))
}

/// Splits a response into itself and what to remember of it. Refusals are decided anew, and a
/// cookie is given once.
async fn remember(response: Response) -> Result<(Response, Option<Answer>), Problem> {
    if !response.status().is_success() || response.headers().contains_key(header::SET_COOKIE) {
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Play {
        answers: Answers,
        tenant: TenantId,
    }

    impl Play {
        fn new() -> Self {
            let tenant = store::fresh_id(Timestamp::default());
            Self { answers: Answers::default(), tenant }
        }

        fn claim(&self, who: &str, key: &str) -> Option<Result<Answer, Problem>> {
            let account = (self.tenant, who.to_owned());
            self.answers.claim(digest(&[key.as_bytes()]), account, [0; 32], Timestamp::default())
        }

        fn settle(&self, key: &str, bytes: Option<usize>) {
            let answer = |bytes| Answer {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body: Bytes::from(vec![0; bytes]),
            };
            self.answers.settle(digest(&[key.as_bytes()]), bytes.map(answer));
        }

        fn sizes(&self) -> (usize, usize, usize, usize) {
            let memory = self.answers.memory();
            let own = memory.of_account.values().map(BTreeMap::len).sum();
            (memory.known.len(), memory.order.len(), own, memory.bytes)
        }
    }

    #[test]
    fn a_refusal_leaves_nothing_behind() {
        let play = Play::new();
        for _ in 0..3 {
            assert!(play.claim("anna", "k").is_none());
            play.settle("k", None);
        }
        assert_eq!(play.sizes(), (0, 0, 0, 0));
    }

    #[test]
    fn one_account_forgets_its_own_answers_first() {
        let play = Play::new();
        assert!(play.claim("ben", "first").is_none());
        play.settle("first", Some(1));
        assert!(play.claim("anna", "at work").is_none());
        for n in 0..limits::IDEMPOTENT_ANSWERS_PER_ACCOUNT_MAX {
            assert!(play.claim("anna", &n.to_string()).is_none());
            play.settle(&n.to_string(), Some(1));
        }
        assert!(matches!(play.claim("ben", "first"), Some(Ok(_))), "anna's cost ben nothing");
        assert_eq!(play.claim("anna", "at work").unwrap().unwrap_err().code, "in_progress");
        assert!(play.claim("anna", "0").is_none(), "her oldest answer is forgotten");
        let busy = Play::new();
        for n in 0..limits::IDEMPOTENT_ANSWERS_PER_ACCOUNT_MAX {
            assert!(busy.claim("anna", &n.to_string()).is_none());
        }
        assert_eq!(busy.claim("anna", "more").unwrap().unwrap_err().code, "overloaded");
        assert!(busy.claim("ben", "his").is_none());
    }

    #[test]
    fn answers_have_so_many_bytes_in_all() {
        let play = Play::new();
        let each = limits::IDEMPOTENT_BYTES_MAX / 4;
        for n in 0..6 {
            assert!(play.claim("anna", &n.to_string()).is_none());
            play.settle(&n.to_string(), Some(each));
        }
        assert_eq!(play.sizes(), (4, 4, 4, 4 * each));
        assert!(matches!(play.claim("anna", "5"), Some(Ok(_))));
    }
}
