//! Refusals as `application/problem+json` (RFC 9457): a stable code, a plain sentence, the place.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::Refusal;
use serde::Serialize;
use store::StoreError;
use utoipa::ToSchema;

use crate::ports::{FlowFault, SoundFault};

/// A refusal. The outermost layer writes it with the id of its request.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
    pub(crate) errors: Vec<Fault>,
    pub(crate) retry_after_s: Option<u32>,
    /// The bytes there are, when a range was asked that they do not have.
    pub(crate) bytes_total: Option<u64>,
}

/// One fault inside a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Fault {
    /// JSON pointer (RFC 6901) to the place.
    pub(crate) pointer: String,
    /// The stable code.
    pub(crate) code: String,
    /// What to do about it.
    pub(crate) detail: String,
}

/// The body of every refusal.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProblemBody {
    /// Names the kind of refusal.
    #[serde(rename = "type")]
    kind: String,
    /// The words of the HTTP status.
    title: String,
    /// The HTTP status.
    status: u16,
    /// The stable code.
    code: String,
    /// A plain sentence: what is wrong and what helps.
    detail: String,
    /// Names the request in the log.
    request_id: String,
    /// Single faults with their places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
}

/// Seconds after which a refused request may be tried again.
const RETRY_AFTER_S: u32 = 2;

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_s: None,
            bytes_total: None,
        }
    }

    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub(crate) fn unprocessable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    pub(crate) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    pub(crate) fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such thing here.")
    }

    pub(crate) fn internal() -> Self {
        let detail = "Something failed on our side. It was logged under the id of this request.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    pub(crate) fn no_session() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "no_session", "Sign in first.")
    }

    pub(crate) fn at(mut self, pointer: impl Into<String>) -> Self {
        let fault = Fault {
            pointer: pointer.into(),
            code: self.code.to_owned(),
            detail: self.detail.clone(),
        };
        self.errors.push(fault);
        self
    }

    pub(crate) fn retry(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// A range outside of what there is (RFC 9110 section 15.5.17).
    pub(crate) fn bad_range(bytes_total: u64) -> Self {
        let detail = format!("There are {bytes_total} bytes.");
        let mut problem = Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "bad_range", detail);
        problem.bytes_total = Some(bytes_total);
        problem
    }

    pub(crate) fn flow(faults: Vec<FlowFault>) -> Self {
        let detail = "The flow has faults; each is named with its place.";
        let mut problem = Self::unprocessable("bad_flow", detail);
        problem.errors = faults.into_iter().map(Fault::from).collect();
        problem
    }

    /// The whole response, once the id of its request is known.
    pub(crate) fn render(self, request_id: &str) -> Response {
        let body = ProblemBody {
            kind: format!("urn:antiphon:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Refused").to_owned(),
            status: self.status.as_u16(),
            code: self.code.to_owned(),
            detail: self.detail,
            request_id: request_id.to_owned(),
            errors: self.errors,
        };
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(total) = self.bytes_total {
            let value = HeaderValue::from_str(&format!("bytes */{total}"));
            headers.insert(header::CONTENT_RANGE, value.expect("digits are a header value"));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<FlowFault> for Fault {
    fn from(fault: FlowFault) -> Self {
        Self { pointer: fault.pointer, code: fault.code.to_owned(), detail: fault.detail }
    }
}

impl Fault {
    /// A fault of a calendar that stands in its list under `key`.
    pub(crate) fn of_calendar(key: &str, fault: &civil::CalendarFault) -> Self {
        // RFC 6901 section 3: `~` and `/` inside a name are written `~0` and `~1`.
        let key = key.replace('~', "~0").replace('/', "~1");
        Self {
            pointer: format!("/{key}{}", fault.pointer),
            code: fault.code.to_owned(),
            detail: sentence(&fault.detail),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::NotFound => StatusCode::NOT_FOUND,
            Refusal::OfferGone | Refusal::WrongState | Refusal::NoDevice | Refusal::NotFree => {
                StatusCode::CONFLICT
            }
            Refusal::UnknownChoice => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::Overloaded | Refusal::NotSaved => StatusCode::SERVICE_UNAVAILABLE,
        };
        let problem = Self::new(status, refusal.code(), sentence(&refusal.to_string()));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            problem.retry(RETRY_AFTER_S)
        } else {
            problem
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = sentence(&error.to_string());
        match error {
            StoreError::NotFound => Self::not_found(),
            StoreError::Conflict { what } => Self::conflict(taken_code(what), detail),
            StoreError::Stale { .. } => {
                let detail = format!("{detail} Load it again and repeat your change.");
                Self::new(StatusCode::PRECONDITION_FAILED, "stale", detail)
            }
            StoreError::Full => Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", detail),
            StoreError::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail)
                .retry(RETRY_AFTER_S),
            StoreError::Stopped | StoreError::Closed => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_saved", detail).retry(RETRY_AFTER_S)
            }
            StoreError::NewerSchema { .. }
            | StoreError::Folder { .. }
            | StoreError::Unsafe { .. }
            | StoreError::Damaged { .. }
            | StoreError::Io(_)
            | StoreError::Database(_) => {
                tracing::error!(%error, "the record failed");
                Self::internal()
            }
        }
    }
}

impl From<SoundFault> for Problem {
    fn from(fault: SoundFault) -> Self {
        match fault {
            SoundFault::Unreadable => Self::not_found(),
            SoundFault::NotWav { at, why } => {
                let detail = format!("From byte {at}: {why}.");
                Self::unprocessable("bad_sound", detail).at("")
            }
        }
    }
}

fn taken_code(what: &str) -> &'static str {
    match what {
        "the mail address" => "mail_taken",
        "the name" => "name_taken",
        _ => "in_use",
    }
}

/// `the disk is full` as `The disk is full.`
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}
