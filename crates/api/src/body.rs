//! JSON bodies, read strictly: one content type, bounded size and depth, no key twice, no NUL, and
//! every fault named with its place.

use std::time::Duration;

use axum::body::Body as AnyBody;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use model::limits;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::problem::Problem;

/// How long a body may take, and as much more as [`BODY_BYTES_PER_S_MIN`] allows it.
const BODY_TIME: Duration = Duration::from_secs(30);
/// The slowest upload of a large body that is worth waiting for.
const BODY_BYTES_PER_S_MIN: usize = 64 * 1_024;
/// Levels of nesting.
const DEPTH_MAX: usize = 64;

/// A body of type `T`.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<S, T> FromRequest<S> for Body<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        require_type(&request, "application/json")?;
        let bytes = bytes(request, limits::HTTP_BODY_BYTES_MAX).await?;
        parse(&bytes).map(Self)
    }
}

/// Fails unless the body has this media type; parameters are ignored.
pub(crate) fn require_type(request: &Request, wanted: &'static str) -> Result<(), Problem> {
    let found = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = found.and_then(|text| text.split(';').next()).unwrap_or("").trim();
    if essence.eq_ignore_ascii_case(wanted) {
        Ok(())
    } else {
        let detail = format!("Send the body as {wanted}.");
        Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong_type", detail))
    }
}

/// The whole body, at most `max` bytes, within its time.
pub(crate) async fn bytes(request: Request, max: usize) -> Result<bytes::Bytes, Problem> {
    // Uploads larger than a document get the time of a slow line.
    let more_s = max.saturating_sub(limits::HTTP_BODY_BYTES_MAX) / BODY_BYTES_PER_S_MIN;
    let time = BODY_TIME + Duration::from_secs(more_s as u64);
    whole(request.into_body(), max, time).await
}

async fn whole(body: AnyBody, max: usize, time: Duration) -> Result<bytes::Bytes, Problem> {
    let read = tokio::time::timeout(time, axum::body::to_bytes(body, max)).await;
    let read = read.map_err(|_| {
        let detail = "The body took too long.";
        Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", detail)
    })?;
    read.map_err(|_| {
        let detail = format!("The body is larger than {max} bytes or broke off.");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    })
}

/// Reads JSON text strictly.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    shape(strict(bytes)?)
}

/// Reads a value into its type, and names the place of what does not fit.
pub(crate) fn shape<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = pointer(error.path());
        let detail = error.into_inner().to_string();
        let code = if detail.starts_with("unknown field") { "unknown_field" } else { "bad_value" };
        let problem = Problem::bad_request(code, format!("{}: {detail}.", place(&pointer)));
        problem.at(pointer)
    })
}

fn place(pointer: &str) -> &str {
    if pointer.is_empty() { "The document" } else { pointer }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}

/// JSON text as a value.
pub(crate) fn strict(bytes: &[u8]) -> Result<Value, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let seed = Strict { depth: 0 };
    let value = serde::de::DeserializeSeed::deserialize(seed, &mut deserializer);
    value.and_then(|value| deserializer.end().map(|()| value)).map_err(|error| {
        let text = error.to_string();
        let code = ["duplicate_key", "too_deep", "bad_text"]
            .into_iter()
            .find(|code| text.starts_with(code))
            .unwrap_or("bad_json");
        // The text ends with line and column; no pointer leads into what cannot be read.
        Problem::bad_request(code, format!("This is no JSON that can be used: {text}.")).at("")
    })
}

/// Builds a [`Value`] and refuses what a lenient reader would let pass.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl<'de> serde::de::DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth > DEPTH_MAX {
            return Err(D::Error::custom(format!("too_deep: more than {DEPTH_MAX} levels")));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        if text.contains('\0') {
            return Err(E::custom("bad_text: a NUL character"));
        }
        Ok(Value::String(text.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let below = Self { depth: self.depth + 1 };
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(below)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let below = Self { depth: self.depth + 1 };
        let mut values = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(below)?;
            if values.insert(key.clone(), value).is_some() {
                return Err(A::Error::custom(format!("duplicate_key: `{key}` appears twice")));
            }
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        inner: Vec<Inner>,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        n: u8,
    }

    fn fault(text: &str) -> (&'static str, Option<String>) {
        let problem = parse::<Outer>(text.as_bytes()).unwrap_err();
        (problem.code, problem.errors.first().map(|fault| fault.pointer.clone()))
    }

    #[test]
    fn faults_are_named_with_their_place() {
        assert_eq!(parse::<Outer>(br#"{"inner":[{"n":7}]}"#).unwrap().inner[0].n, 7);
        assert_eq!(fault(r#"{"inner":[{"n":300}]}"#), ("bad_value", Some("/inner/0/n".into())));
        assert_eq!(
            fault(r#"{"inner":[{"n":1,"m":2}]}"#),
            ("unknown_field", Some("/inner/0/m".into()))
        );
        assert_eq!(fault(r#"{"inner":[],"inner":[]}"#).0, "duplicate_key");
        assert_eq!(fault("{\"inner\":\"\\u0000\"}").0, "bad_text");
        assert_eq!(fault(&format!("{}1{}", "[".repeat(80), "]".repeat(80))).0, "too_deep");
        assert_eq!(fault(&"[".repeat(100_000)).0, "too_deep");
        for bad in ["", "{", "{} {}", "\u{feff}{}", "NaN", "'a'"] {
            assert_eq!(fault(bad).0, "bad_json", "{bad}");
        }
    }
}
