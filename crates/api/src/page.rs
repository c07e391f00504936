//! Lists: how long a page is and where the next one begins.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::limits;
use serde::{Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use crate::problem::Problem;

/// Rows of a page unless the client asks for another number.
const ROWS: u32 = 50;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The rows.
    pub(crate) items: Vec<T>,
    /// What to send as `cursor` for the next page; none on the last.
    pub(crate) next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A list that is always whole.
    pub(crate) fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

/// The number of rows asked for.
pub(crate) fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    let rows = asked.unwrap_or(ROWS);
    if (1..=limits::PAGE_ROWS_MAX).contains(&rows) {
        Ok(rows)
    } else {
        let detail = format!("limit is 1 to {}.", limits::PAGE_ROWS_MAX);
        Err(Problem::bad_request("bad_limit", detail).at("/limit"))
    }
}

/// A place as an opaque text.
pub(crate) fn cursor<T: Serialize>(place: &T) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
}

/// The place of a cursor that we gave out.
pub(crate) fn place<T: DeserializeOwned>(cursor: &str) -> Result<T, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
    serde_json::from_slice(&bytes).map_err(|_| {
        Problem::bad_request("bad_cursor", "Use next_cursor of the page before, unchanged.")
            .at("/cursor")
    })
}
