//! Recordings: heard as WAV with ranges, seen as a waveform.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use model::{CallId, Span};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::at::{At, seconds};
use crate::extract::Pair;
use crate::guard::{Caller, Signed};
use crate::ports::RecordingWav;
use crate::problem::Problem;
use crate::routes::calls::visible;

/// Bytes read and sent at once.
const CHUNK_BYTES: usize = 64 * 1_024;
/// Points of a waveform.
const POINTS_MAX: usize = 2_000;

/// A recording of a call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecordingRow {
    /// Its place among the recordings of the call, from 1.
    n: u32,
    start_at: At,
    length_s: f64,
    /// Whether nothing is missing.
    complete: bool,
    /// Where it was paused.
    paused: Vec<PauseRow>,
}

/// Silence on purpose.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PauseRow {
    start_at: At,
    end_at: At,
}

/// Loudness over time, 0 to 1.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Waveform {
    /// Milliseconds of one point.
    step_ms: f64,
    /// The customer.
    left: Vec<f32>,
    /// What the customer heard.
    right: Vec<f32>,
}

/// The recordings of a call as rows. Pauses are read from the files; one that cannot be read is
/// listed without them.
pub(crate) async fn rows(app: &App, found: Vec<store::RecordingRow>) -> Vec<RecordingRow> {
    let mut rows = Vec::new();
    for row in found {
        let wav = open_row(app, &row).await.ok();
        let pauses = wav.as_ref().map(|wav| wav.pauses_ms()).unwrap_or_default();
        let at =
            |ms: u64| At(row.started_at + Span::from_millis(i64::try_from(ms).unwrap_or(i64::MAX)));
        rows.push(RecordingRow {
            n: row.n,
            start_at: At(row.started_at),
            length_s: seconds(row.length_ms.saturating_mul(1_000)),
            complete: row.complete,
            paused: pauses
                .into_iter()
                .map(|(from, until)| PauseRow { start_at: at(from), end_at: at(until) })
                .collect(),
        });
    }
    rows
}

async fn find(
    app: &App,
    caller: &Caller,
    call: CallId,
    n: u32,
) -> Result<store::RecordingRow, Problem> {
    visible(app, caller, call).await?;
    let rows = app.db(caller).recordings(call).await?;
    rows.into_iter().find(|row| row.n == n).ok_or_else(Problem::not_found)
}

async fn open_row(app: &App, row: &store::RecordingRow) -> Result<Arc<dyn RecordingWav>, Problem> {
    let file = app.store.recording_file(row)?;
    let sound = Arc::clone(&app.sound);
    let wav = tokio::task::spawn_blocking(move || sound.recording(&file))
        .await
        .map_err(|_| Problem::internal())??;
    Ok(Arc::from(wav))
}

/// The recording as WAV: stereo, 8 kHz, 16 bit; left the customer, right what the customer heard.
#[utoipa::path(get, path = "/api/v1/calls/{call}/recordings/{n}", tag = "calls",
    params(("call" = String, Path), ("n" = u32, Path)),
    responses((status = 200, content_type = "audio/wav"), (status = 206, description = "a range"),
        (status = 416, description = "bad_range")))]
pub(crate) async fn play(
    State(app): State<App>,
    Signed(caller): Signed,
    Pair(call, n): Pair<CallId, u32>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let row = find(&app, &caller, call, n).await?;
    let wav = open_row(&app, &row).await?;
    let total = wav.bytes();
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let (status, from, until) = match range.map(|text| read_range(text, total)) {
        None | Some(Asked::Whole) => (StatusCode::OK, 0, total),
        Some(Asked::Part(from, until)) => (StatusCode::PARTIAL_CONTENT, from, until),
        Some(Asked::Impossible) => return Err(Problem::bad_range(total)),
    };
    let mut response = (status, Body::from_stream(stream(wav, from, until))).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("audio/wav"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(until - from));
    if status == StatusCode::PARTIAL_CONTENT {
        let text = format!("bytes {from}-{}/{total}", until - 1);
        let value = HeaderValue::from_str(&text).map_err(|_| Problem::internal())?;
        headers.insert(header::CONTENT_RANGE, value);
    }
    Ok(response)
}

/// Reads as the client takes it: nothing is held but one piece.
fn stream(
    wav: Arc<dyn RecordingWav>,
    from: u64,
    until: u64,
) -> impl futures::Stream<Item = std::io::Result<Bytes>> {
    futures::stream::try_unfold((wav, from), move |(wav, at)| async move {
        let left = until.saturating_sub(at);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        if wanted == 0 {
            return Ok(None);
        }
        let reader = Arc::clone(&wav);
        let piece = tokio::task::spawn_blocking(move || {
            let mut buffer = vec![0; wanted];
            let read = reader.read_at(at, &mut buffer)?;
            buffer.truncate(read);
            Ok::<_, std::io::Error>(buffer)
        });
        let piece = piece.await.map_err(std::io::Error::other)??;
        if piece.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let next = at + piece.len() as u64;
        Ok(Some((Bytes::from(piece), (wav, next))))
    })
}

/// The loudness of a recording.
#[utoipa::path(get, path = "/api/v1/calls/{call}/recordings/{n}/waveform", tag = "calls",
    params(("call" = String, Path), ("n" = u32, Path)),
    responses((status = 200, body = Waveform)))]
pub(crate) async fn waveform(
    State(app): State<App>,
    Signed(caller): Signed,
    Pair(call, n): Pair<CallId, u32>,
) -> Result<Json<Waveform>, Problem> {
    let row = find(&app, &caller, call, n).await?;
    let file = app.store.recording_file(&row)?;
    let sound = Arc::clone(&app.sound);
    let peaks = tokio::task::spawn_blocking(move || sound.peaks(&file, POINTS_MAX))
        .await
        .map_err(|_| Problem::internal())??;
    Ok(Json(Waveform { step_ms: peaks.step_ms, left: peaks.left, right: peaks.right }))
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// No range that we serve: the whole thing is a right answer (RFC 9110 section 14.2).
    Whole,
    /// From and until, the latter not included.
    Part(u64, u64),
    Impossible,
}

/// One range of bytes.
fn read_range(text: &str, total: u64) -> Asked {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|text| text.split_once('-'))
    else {
        return Asked::Whole;
    };
    let (from, until) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(from), Ok(last)) if last >= from => (from, last.saturating_add(1).min(total)),
        (Ok(from), Err(_)) if last.is_empty() => (from, total),
        (Err(_), Ok(length)) if first.is_empty() => (total.saturating_sub(length), total),
        _ => return Asked::Whole,
    };
    if from < until { Asked::Part(from, until) } else { Asked::Impossible }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        assert_eq!(read_range("bytes=0-0", 10), Asked::Part(0, 1));
        assert_eq!(read_range("bytes=5-", 10), Asked::Part(5, 10));
        assert_eq!(read_range("bytes=-3", 10), Asked::Part(7, 10));
        assert_eq!(read_range("bytes=2-99", 10), Asked::Part(2, 10));
        for impossible in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(read_range(impossible, 10), Asked::Impossible, "{impossible}");
        }
        for whole in ["bytes=3-1", "bytes=a-b", "bytes=0-1,3-4", "lines=1-2", "bytes=-"] {
            assert_eq!(read_range(whole, 10), Asked::Whole, "{whole}");
        }
    }
}
