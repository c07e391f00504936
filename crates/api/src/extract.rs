//! Small extractors: ids in paths, queries, versions in headers. What cannot be read is refused in
//! our own words.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The one id of a path. No id at all is simply not found.
#[derive(Debug)]
pub(crate) struct Id<T>(pub(crate) T);

/// The two parts of a path.
#[derive(Debug)]
pub(crate) struct Pair<A, B>(pub(crate) A, pub(crate) B);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|_| Problem::not_found())?;
        read(&text).map(Self)
    }
}

impl<S: Send + Sync, A: FromStr, B: FromStr> FromRequestParts<S> for Pair<A, B> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((a, b)) = path.map_err(|_| Problem::not_found())?;
        Ok(Self(read(&a)?, read(&b)?))
    }
}

fn read<T: FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}

/// The query of a request.
#[derive(Debug)]
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(asked)| Self(asked)).map_err(|error| {
            let detail = error.body_text();
            let unknown = detail.contains("unknown field");
            let code = if unknown { "unknown_field" } else { "bad_value" };
            Problem::bad_request(code, detail)
        })
    }
}

/// The configuration version that an edit is based on, from `If-Match`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IfMatch(pub(crate) Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or("").trim();
        if text == "*" {
            return Ok(Self(None));
        }
        let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        match quoted.and_then(|n| n.parse().ok()) {
            Some(n) => Ok(Self(Some(n))),
            None => {
                let detail = "If-Match has to be the ETag of what you loaded.";
                Err(Problem::new(StatusCode::PRECONDITION_FAILED, "stale", detail))
            }
        }
    }
}

/// The ETag of a configuration version.
pub(crate) fn etag(n: u64) -> [(HeaderName, HeaderValue); 1] {
    let value = HeaderValue::from_str(&format!("\"{n}\"")).expect("digits are a header value");
    [(header::ETAG, value)]
}
