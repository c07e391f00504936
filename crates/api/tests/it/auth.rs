//! Getting in, staying out, and everything a foreign page could try.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use model::Span;
use serde_json::json;
use store::Role;

use crate::house::{House, NOW, ORIGIN, PASSWORD, request};

/// A hospital in Athens has no Greek sounds at first: its callers hear English and not nothing.
#[tokio::test]
async fn a_company_in_another_language_does_not_begin_in_silence() {
    for (language, heard) in [("el", vec!["*", "en", "fa"]), ("fa", vec!["en", "fa"])] {
        let house = House::open().await;
        let body = json!({
            "token": house.setup.reveal(), "tenant_name": "Example", "zone": "Europe/Athens",
            "language": language,
            "admin": {"mail": "anna@example.com", "name": "Anna", "password": PASSWORD},
        });
        let made = house.tell("", Method::POST, "/api/v1/setup", &body).await;
        let session = cookie_of(&made);
        let prompts = house.ask(&session, Method::GET, "/api/v1/prompts").await.json();
        assert_eq!(prompts["items"][1]["name"], "welcome");
        let variants = prompts["items"][1]["variants"].as_object().unwrap();
        assert_eq!(variants.keys().collect::<Vec<_>>(), heard, "{language}");
    }
}

fn cookie_of(reply: &crate::house::Reply) -> String {
    let cookie = reply.header("set-cookie");
    let (token, attributes) = cookie.split_once(';').unwrap();
    for wanted in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(attributes.contains(wanted), "{cookie}");
    }
    token.strip_prefix("antiphon_session=").unwrap().to_owned()
}

#[tokio::test]
async fn the_first_start_makes_a_house_once() {
    let house = House::open().await;
    let state = house.ask("", Method::GET, "/api/v1/setup").await;
    assert_eq!(state.json(), json!({"needed": true}));
    let mut body = json!({
        "token": "wrong", "tenant_name": "Example", "zone": "Europe/Athens", "language": "en",
        "admin": {"mail": "Anna@Example.com", "name": "Anna", "password": "short"},
    });
    let begin = |body| {
        let house = &house;
        async move { house.tell("", Method::POST, "/api/v1/setup", &body).await }
    };
    assert_eq!(begin(body.clone()).await.code(), "bad_token");
    body["token"] = house.setup.reveal().into();
    let weak = begin(body.clone()).await;
    assert_eq!((weak.status.as_u16(), weak.code().as_str()), (422, "weak_password"));
    assert_eq!(weak.json()["errors"][0]["pointer"], "/admin/password");
    body["admin"]["password"] = PASSWORD.into();
    body["zone"] = "Moon/Base".into();
    assert_eq!(begin(body.clone()).await.code(), "bad_zone");
    body["zone"] = "Europe/Athens".into();
    let made = begin(body.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let me = made.json();
    assert_eq!((&me["role"], &me["agent"]), (&json!("administrator"), &json!(true)));
    assert_eq!(begin(body).await.code(), "bad_token");
    let state = house.ask("", Method::GET, "/api/v1/setup").await;
    assert_eq!(state.json(), json!({"needed": false}));

    let session = cookie_of(&made);
    let prompts = house.ask(&session, Method::GET, "/api/v1/prompts").await.json();
    assert_eq!(prompts["items"][0]["variants"]["*"]["length_ms"], 2);
    let flows = house.ask(&session, Method::GET, "/api/v1/flows").await.json();
    assert_eq!(flows["items"][0]["published"]["version"], 1, "a number is all that is missing");
    let queues = house.ask(&session, Method::GET, "/api/v1/queues").await.json();
    assert_eq!(queues["items"][0]["music"], "music", "the queue plays what is there");
    assert_eq!(house.floor.told.lock().unwrap().len(), 1);
    let again = json!({"mail": "anna@example.com", "password": PASSWORD});
    let signed_in = house.tell("", Method::POST, "/api/v1/session", &again).await;
    assert_eq!(signed_in.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_begins_changes_and_ends() {
    let house = House::open().await;
    let company = house.found("100").await;
    let body = json!({"mail": "agent@example.com", "password": PASSWORD});
    let first = house.tell("", Method::POST, "/api/v1/session", &body).await;
    let session = cookie_of(&first);
    assert_eq!(first.json()["tenant"]["id"], company.tenant.to_string());
    // A second sign-in with the old cookie leaves the old token behind.
    let second = house.tell(&session, Method::POST, "/api/v1/session", &body).await;
    let renewed = cookie_of(&second);
    assert_eq!(house.ask(&session, Method::GET, "/api/v1/me").await.code(), "no_session");
    assert_eq!(house.ask(&renewed, Method::GET, "/api/v1/me").await.status, StatusCode::OK);

    let fa = json!({"language": "fa"});
    let changed = house.tell(&renewed, Method::PATCH, "/api/v1/me", &fa).await;
    assert_eq!(changed.json()["language"], "fa");
    let bad = json!({"language": "<script>"});
    let refused = house.tell(&renewed, Method::PATCH, "/api/v1/me", &bad).await;
    assert_eq!(refused.code(), "bad_language");
    let unknown = house.tell(&renewed, Method::PATCH, "/api/v1/me", &json!({"role": "x"})).await;
    assert_eq!((unknown.status.as_u16(), unknown.code().as_str()), (400, "unknown_field"));

    let gone = house.ask(&renewed, Method::DELETE, "/api/v1/session").await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert!(gone.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(house.ask(&renewed, Method::GET, "/api/v1/me").await.code(), "no_session");
    house.floor.pass(Span::from_secs(3_601));
    let late = house.ask(&company.sessions["agent"], Method::GET, "/api/v1/me").await;
    assert_eq!(late.code(), "no_session");
}

/// Whoever is not known yet sends no more than it takes to say who they are.
#[tokio::test]
async fn strangers_send_little() {
    let house = House::open().await;
    house.found("100").await;
    for path in ["/api/v1/session", "/api/v1/setup"] {
        let body = json!({"mail": "x".repeat(9_000)});
        let refused = house.tell("", Method::POST, path, &body).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            (413, "too_large"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_password_is_changed_with_the_old_one() {
    let house = House::open().await;
    let company = house.found("100").await;
    let session = &company.sessions["agent"];
    let user = company.people["agent"];
    let db = house.store.system(company.tenant);
    let other = db.create_session(user, NOW, Span::from_secs(600)).await.unwrap();
    let put = async |old: &str, new: &str| {
        let body = json!({"old": old, "new": new});
        house.tell(session, Method::PUT, "/api/v1/me/password", &body).await
    };
    let new = "another long password";
    let wrong = put("a wrong password", new).await;
    assert_eq!((wrong.status.as_u16(), wrong.code().as_str()), (403, "wrong_password"));
    assert_eq!(put(PASSWORD, "short").await.code(), "weak_password");
    assert_eq!(put(PASSWORD, new).await.status, StatusCode::NO_CONTENT);
    assert_eq!(house.ask(session, Method::GET, "/api/v1/me").await.status, StatusCode::OK);
    assert_eq!(house.ask(other.reveal(), Method::GET, "/api/v1/me").await.code(), "no_session");
    for (password, status) in [(PASSWORD, 401), (new, 200)] {
        let body = json!({"mail": "agent@example.com", "password": password});
        let reply = house.tell("", Method::POST, "/api/v1/session", &body).await;
        assert_eq!(reply.status.as_u16(), status);
    }
}

#[tokio::test]
async fn guessing_is_slow_and_tells_nothing() {
    let house = House::open().await;
    house.found("100").await;
    let attempt = |mail: &str, password: &str| {
        let body = json!({"mail": mail, "password": password});
        let house = &house;
        async move { house.tell("", Method::POST, "/api/v1/session", &body).await }
    };
    let known = attempt("agent@example.com", "wrong password").await;
    let unknown = attempt("nobody@example.com", "wrong password").await;
    assert_eq!((known.status, known.code()), (unknown.status, unknown.code()));
    assert_eq!(known.json()["detail"], unknown.json()["detail"]);
    for _ in 0..4 {
        assert_eq!(attempt("agent@example.com", "wrong").await.code(), "bad_credentials");
    }
    let refused = attempt("agent@example.com", PASSWORD).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.header("retry-after").parse::<u32>().unwrap() > 0);
    house.floor.pass(Span::from_secs(61));
    assert_eq!(attempt("agent@example.com", PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn foreign_pages_change_nothing() {
    let house = House::open().await;
    let company = house.found("100").await;
    let session = &company.sessions["agent"];
    let path = "/api/v1/agent/ready";
    for origin in ["http://evil.example", "null", "https://desk.example"] {
        let mut post = request(session, Method::POST, path).body(Body::empty()).unwrap();
        post.headers_mut().insert("origin", origin.parse().unwrap());
        let reply = house.send(post).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::FORBIDDEN, "bad_origin"));
    }
    let mut bare = request(session, Method::POST, path).body(Body::empty()).unwrap();
    bare.headers_mut().remove("origin");
    assert_eq!(house.send(bare).await.code(), "bad_origin");
    assert!(house.floor.commands.lock().unwrap().is_empty());
    assert_eq!(house.ask(session, Method::POST, path).await.status, StatusCode::NO_CONTENT);

    let mut login = request("", Method::POST, "/api/v1/session")
        .header("content-type", "application/json")
        .body(Body::from("{}"))
        .unwrap();
    login.headers_mut().insert("origin", "http://evil.example".parse().unwrap());
    assert_eq!(house.send(login).await.code(), "bad_origin");
}

#[tokio::test]
async fn a_key_works_without_a_page() {
    let house = House::open().await;
    let company = house.found("100").await;
    let db = house.store.system(company.tenant);
    let key = db.create_api_key("ci".into(), Role::Supervisor, NOW, None).await.unwrap();
    let with = |key: &str, path: &str| {
        let bearer = format!("Bearer {key}");
        Request::builder().uri(path).header("authorization", bearer).body(Body::empty()).unwrap()
    };
    let calls = house.send(with(key.reveal(), "/api/v1/calls")).await;
    assert_eq!(calls.status, StatusCode::OK);
    assert_eq!(house.send(with(key.reveal(), "/api/v1/users")).await.code(), "forbidden");
    assert_eq!(house.send(with("ant_guess", "/api/v1/calls")).await.code(), "no_session");
    db.revoke_api_key("ci".into()).await.unwrap();
    assert_eq!(house.send(with(key.reveal(), "/api/v1/calls")).await.code(), "no_session");
}

#[tokio::test]
async fn every_response_is_safe_and_named() {
    let house = House::open().await;
    for path in ["/", "/healthz", "/api/v1/me", "/nowhere", "/api/nowhere"] {
        let named = request("", Method::GET, path).header("x-request-id", "abc-1");
        let reply = house.send(named.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        let policy = reply.header("content-security-policy");
        assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(reply.header("x-request-id"), "abc-1");
        if path.starts_with("/api") {
            assert_eq!(reply.header("content-type"), "application/problem+json", "{path}");
            assert_eq!(reply.json()["request_id"], "abc-1");
        }
    }
    let odd = request("", Method::GET, "/").header("x-request-id", "a b\"c");
    let reply = house.send(odd.body(Body::empty()).unwrap()).await;
    assert!(reply.header("x-request-id").len() > 10);
    assert_eq!(house.ask("", Method::PUT, "/api/v1/me").await.code(), "wrong_method");
    let proxied = Request::builder()
        .method(Method::POST)
        .uri("/api/v1/session")
        .header("host", "desk.example")
        .header("origin", ORIGIN)
        .header("x-forwarded-proto", "https")
        .body(Body::empty())
        .unwrap();
    // The test client is no trusted proxy: what it forwards is not believed.
    assert_eq!(house.send(proxied).await.code(), "wrong_type");
}

#[tokio::test]
async fn figures_are_for_operators() {
    let house = House::open().await;
    let company = house.found("100").await;
    let from = async |peer: &str, session: &str, path: &str, passed_on: bool| {
        let mut asked = request(session, Method::GET, path);
        if passed_on || peer == "10.0.0.1" {
            asked = asked.header("x-forwarded-for", "192.0.2.9");
        }
        let mut asked = asked.body(Body::empty()).unwrap();
        let peer = std::net::SocketAddr::new(peer.parse().unwrap(), 1);
        asked.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        house.send(asked).await
    };
    let administrator = &company.sessions["administrator"];
    for (peer, session, passed_on, status) in [
        ("127.0.0.1", "", false, 200),
        ("127.0.0.1", "", true, 401),
        ("10.0.0.1", "", false, 401),
        ("10.0.0.1", &company.sessions["supervisor"], false, 403),
        ("10.0.0.1", administrator, false, 200),
    ] {
        let figures = from(peer, session, "/metrics", passed_on).await;
        assert_eq!(figures.status.as_u16(), status, "{peer} {passed_on}");
        let ready = from(peer, session, "/readyz", passed_on).await;
        assert_eq!(ready.json()["ready"], true);
        assert_eq!(ready.json()["checks"].is_array(), status == 200, "{peer} {passed_on}");
    }
    // Around the proxy there is nothing, not even a page.
    for path in ["/", "/readyz", "/api/v1/me"] {
        let refused = from("192.0.2.9", administrator, path, false).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "not_through_proxy"));
    }
}
