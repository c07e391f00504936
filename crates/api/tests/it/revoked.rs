//! Whoever may no longer be here is sent away within seconds, whatever the cause.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::json;
use store::Role;

use crate::house::{NOW, PASSWORD};
use crate::live::{Live, Wire, closed, hear, live, say};

/// Promised to whoever takes a right away.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// The page ends soon with the code that a session which is over has.
async fn is_sent_away(mut page: Wire, since: Instant, cause: &str) {
    assert_eq!(closed(&mut page).await, 4401, "{cause}");
    assert!(since.elapsed() < GONE_WITHIN, "{cause}: {:?}", since.elapsed());
}

/// A program that listens with its key.
async fn program(live: &Live, key: &str) -> Wire {
    let ask = Request::builder()
        .method(Method::POST)
        .uri("/api/v1/ws/ticket")
        .header("authorization", format!("Bearer {key}"))
        .body(Body::empty())
        .unwrap();
    let ticket = live.house.send(ask).await.json();
    let query = format!("?ticket={}", ticket["ticket"].as_str().unwrap());
    let mut wire = live.connect("", "", &query).await.unwrap();
    say(&mut wire, &json!({"type": "hello", "tab": "t", "epoch": 1})).await;
    assert_eq!(hear(&mut wire).await["type"], "welcome");
    wire
}

#[tokio::test]
async fn a_session_that_ends_takes_its_pages_along() {
    let live = live().await;
    let page = live.page("agent", "a", json!({})).await;
    let session = &live.company.sessions["agent"];
    live.house.ask(session, Method::DELETE, "/api/v1/session").await;
    is_sent_away(page, Instant::now(), "sign-out").await;
}

/// A new password ends the sessions of whoever may know the old one, and no other.
#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let live = live().await;
    let other = live.page("agent", "a", json!({})).await;
    let db = live.house.store.system(live.company.tenant);
    let agent = live.company.people["agent"];
    let own = db.create_session(agent, NOW, model::Span::from_secs(3_600)).await.unwrap();
    let change = json!({"old": PASSWORD, "new": "another long enough password"});
    let path = "/api/v1/me/password";
    let changed = live.house.tell(own.reveal(), Method::PUT, path, &change).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{changed:?}");
    is_sent_away(other, Instant::now(), "password").await;
    let stays = live.house.ask(own.reveal(), Method::GET, "/api/v1/me").await;
    assert_eq!(stays.status, StatusCode::OK);
}

#[tokio::test]
async fn a_removed_person_is_sent_away() {
    let live = live().await;
    let page = live.page("supervisor", "a", json!({})).await;
    let path = format!("/api/v1/users/{}", live.company.people["supervisor"]);
    let administrator = &live.company.sessions["administrator"];
    let removed = live.house.ask(administrator, Method::DELETE, &path).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT, "{removed:?}");
    is_sent_away(page, Instant::now(), "removal").await;
}

#[tokio::test]
async fn a_revoked_key_ends_its_connections() {
    let live = live().await;
    let db = live.house.store.system(live.company.tenant);
    let key = db.create_api_key("wall".into(), Role::Supervisor, NOW, None).await.unwrap();
    let page = program(&live, key.reveal()).await;
    db.revoke_api_key("wall".into()).await.unwrap();
    is_sent_away(page, Instant::now(), "key").await;
}
