//! The web UI inside the binary: files with digests, an address for every screen, and a plain page
//! when the program was built without it.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::problem::Problem;

#[derive(RustEmbed)]
#[folder = "../../web/build"]
#[allow_missing = true]
struct Built;

/// Names below it carry a hash of their content.
const IMMUTABLE: &str = "_app/immutable/";
const START: &str = "index.html";

const PLACEHOLDER: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <title>Antiphon</title><body><h1>Antiphon runs</h1>\
    <p>This program was built without its screens. Build them with <code>npm ci &amp;&amp; npm run \
    build</code> in the folder <code>web</code>, then build the program again.</p>\
    <p>The API is at <a href=\"/api/openapi.json\">/api/openapi.json</a>.</p>";

/// Whatever no route answers: a file of the UI, or the page that finds its screen by the address.
pub(crate) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path.starts_with("api/") || path == "api" {
        return Problem::not_found().into_response();
    }
    if !matches!(method, Method::GET | Method::HEAD) {
        let detail = "Pages are only read.";
        return Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", detail)
            .into_response();
    }
    if let Some(file) = Built::get(path).filter(|_| !path.is_empty()) {
        return file_response(path, &file, &headers);
    }
    // A file that is not there must not be answered with a page: it would be cached as one.
    if path.starts_with("_app/") {
        return Problem::not_found().into_response();
    }
    match Built::get(START) {
        Some(page) => file_response(START, &page, &headers),
        None => {
            let kind = HeaderValue::from_static("text/html; charset=utf-8");
            ([(header::CONTENT_TYPE, kind)], PLACEHOLDER).into_response()
        }
    }
}

fn file_response(path: &str, file: &rust_embed::EmbeddedFile, asked: &HeaderMap) -> Response {
    let digest = file.metadata.sha256_hash();
    let tag: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|known| known.contains(&tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = HeaderValue::from_static(media_type(path));
        ([(header::CONTENT_TYPE, kind)], file.data.clone().into_owned()).into_response()
    };
    let cache = if path.starts_with(IMMUTABLE) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("wav") => "audio/wav",
        Some("mp3") => "audio/mpeg",
        Some("ogg") => "audio/ogg",
        Some("txt") => "text/plain; charset=utf-8",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}
