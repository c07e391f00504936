//! Changing the house: checked, versioned, told to the floor.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use store::{ConfigDraft, Edit, Role};

use crate::calls::recorded_call;
use crate::house::{Company, House, NOW, PASSWORD, Reply, request, waiting};

pub(crate) async fn opened() -> (House, Company, String) {
    let house = House::open().await;
    let company = house.found("100").await;
    let session = company.sessions["administrator"].clone();
    (house, company, session)
}

fn queue(name: &str) -> Value {
    json!({
        "name": name, "strategy": "longest_ready", "skills": {"english": 3}, "ring_ms": 15000,
        "wrap_up_ms": 30000, "music": "music", "service_level_ms": 20000,
        "short_abandon_ms": 5000, "length_max": 50,
    })
}

#[tokio::test]
async fn an_edit_is_a_version_and_a_stale_one_is_refused() {
    let (house, company, session) = opened().await;
    let made = house.tell(&session, Method::POST, "/api/v1/queues", &queue("Sales")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.json());
    assert_eq!(made.header("etag"), "\"2\"");
    assert_eq!(house.floor.told.lock().unwrap().as_slice(), [company.tenant]);
    let path = format!("/api/v1/queues/{}", made.json()["id"].as_str().unwrap());
    let put = |etag: &'static str, body: Value| {
        let request = request(&session, Method::PUT, &path)
            .header("content-type", "application/json")
            .header("if-match", etag)
            .body(Body::from(body.to_string()))
            .unwrap();
        let house = &house;
        async move { house.send(request).await }
    };
    assert_eq!(put("\"1\"", queue("Late")).await.code(), "stale");
    assert_eq!(put("W/\"x\"", queue("Late")).await.code(), "stale");
    assert_eq!(put("\"2\"", queue("Better")).await.status, StatusCode::OK);
    let shown = house.ask(&session, Method::GET, &path).await;
    assert_eq!((shown.header("etag"), &shown.json()["name"]), ("\"3\"", &json!("Better")));
    assert_eq!(put("*", queue("Support")).await.code(), "name_taken");

    let versions = house.ask(&session, Method::GET, "/api/v1/config/versions?limit=2").await.json();
    assert_eq!(versions["items"][0]["summary"], "change queue Better");
    assert_eq!(versions["items"][0]["by"], "administrator");
    let cursor = versions["next_cursor"].as_str().unwrap();
    let rest = format!("/api/v1/config/versions?limit=2&cursor={cursor}");
    let rest = house.ask(&session, Method::GET, &rest).await.json();
    assert_eq!((&rest["items"][0]["n"], &rest["next_cursor"]), (&json!(1), &Value::Null));

    let gone = house.ask(&session, Method::DELETE, &path).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(house.ask(&session, Method::GET, &path).await.code(), "not_found");
}

#[tokio::test]
async fn faults_of_a_queue_are_named() {
    let (house, _, session) = opened().await;
    for (field, value, code) in [
        ("name", json!(""), "bad_name"),
        ("name", json!(" x"), "bad_name"),
        ("name", json!("x".repeat(65)), "bad_name"),
        ("ring_ms", json!(0), "out_of_range"),
        ("wrap_up_ms", json!(-1), "out_of_range"),
        ("length_max", json!(0), "out_of_range"),
        ("length_max", json!(-1), "bad_value"),
        ("strategy", json!("random"), "bad_value"),
        ("skills", json!({"a": 11}), "bad_level"),
        ("music", json!("no such sound"), "unknown_prompt"),
        ("colour", json!("red"), "unknown_field"),
    ] {
        let mut body = queue("New");
        body[field] = value;
        let reply = house.tell(&session, Method::POST, "/api/v1/queues", &body).await;
        assert_eq!(reply.code(), code, "{field}");
        let pointer = reply.json()["errors"][0]["pointer"].as_str().unwrap().to_owned();
        assert!(pointer.starts_with(&format!("/{field}")), "{field} at {pointer}");
    }
    let raw = |body: Vec<u8>, kind: &'static str| {
        let request =
            request(&session, Method::POST, "/api/v1/queues").header("content-type", kind);
        let house = &house;
        async move { house.send(request.body(Body::from(body)).unwrap()).await }
    };
    assert_eq!(raw(b"{}".to_vec(), "text/plain").await.status.as_u16(), 415);
    assert_eq!(raw(vec![b' '; 1_100_000], "application/json").await.status.as_u16(), 413);
    assert_eq!(raw(b"{\"name\":\"\xff\"}".to_vec(), "application/json").await.code(), "bad_json");
}

#[tokio::test]
async fn a_flow_in_force_keeps_what_it_names() {
    let (house, company, session) = opened().await;
    let path = format!("/api/v1/queues/{}", company.queue);
    let kept = house.ask(&session, Method::DELETE, &path).await;
    assert_eq!((kept.status.as_u16(), kept.code().as_str()), (409, "in_use"));
    assert_eq!(kept.json()["errors"][0]["pointer"], "/nodes/wait/queue");
    let renamed = house.tell(&session, Method::PUT, &path, &queue("Other")).await;
    assert_eq!(renamed.code(), "in_use");
}

#[tokio::test]
async fn a_flow_is_drafted_checked_and_published() {
    let (house, _, session) = opened().await;
    let body = json!({"name": "Night"});
    let made = house.tell(&session, Method::POST, "/api/v1/flows", &body).await.json();
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["published"], Value::Null);
    let number = json!({"flow": id});
    let early = house.tell(&session, Method::PUT, "/api/v1/numbers/300", &number).await;
    assert_eq!(early.code(), "unknown_flow");

    let bad = serde_json::to_value(waiting("Nowhere")).unwrap();
    let check = house.tell(&session, Method::POST, "/api/v1/flows/check", &bad).await;
    assert_eq!(check.json()["faults"][0]["code"], "unknown_queue");
    let draft = format!("/api/v1/flows/{id}/draft");
    let refused = house.tell(&session, Method::PUT, &draft, &bad).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "bad_flow"));
    assert_eq!(refused.json()["errors"][0]["pointer"], "/nodes/wait/queue");
    let good = serde_json::to_value(waiting("Support")).unwrap();
    let kept = house.tell(&session, Method::PUT, &draft, &good).await.json();
    assert_eq!((&kept["draft"]["start"], &kept["published"]), (&json!("wait"), &Value::Null));
    let publish = format!("/api/v1/flows/{id}/publish");
    let published = house.ask(&session, Method::POST, &publish).await.json();
    assert_eq!(published["published"]["version"], 1);
    let led = house.tell(&session, Method::PUT, "/api/v1/numbers/300", &number).await;
    assert_eq!(led.json(), json!({"dialled": "300", "flow": id}));
    let list = house.ask(&session, Method::GET, "/api/v1/flows").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let gone = house.ask(&session, Method::DELETE, "/api/v1/numbers/300").await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
}

/// A number that another tenant has is like one that nobody has.
#[tokio::test]
async fn a_number_of_somebody_else_shows_nowhere() {
    let (house, company, session) = opened().await;
    house.found("200").await;
    let body = json!({"flow": company.flow.to_string()});
    let mut answers = Vec::new();
    for number in ["200", "201"] {
        let path = format!("/api/v1/numbers/{number}");
        let list = house.ask(&session, Method::GET, "/api/v1/numbers").await.json();
        let before = house.ask(&session, Method::GET, &path).await;
        let taken = house.tell(&session, Method::PUT, &path, &body).await;
        assert_eq!(taken.json(), json!({"dialled": number, "flow": company.flow.to_string()}));
        let gone = house.ask(&session, Method::DELETE, &path).await;
        let headers =
            |reply: &Reply| reply.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        answers.push((
            list["items"].clone(),
            (before.status, before.code()),
            (taken.status, headers(&taken)),
            (gone.status, headers(&gone)),
        ));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!((answers[0].1.0, answers[0].2.0), (StatusCode::NOT_FOUND, StatusCode::OK));
    let odd = house.tell(&session, Method::PUT, "/api/v1/numbers/a%20b", &body).await;
    assert_eq!(odd.code(), "not_found");
}

#[tokio::test]
async fn people_come_and_change() {
    let (house, company, session) = opened().await;
    let mut body = json!({
        "mail": "New@Example.com", "name": "New", "role": "agent", "password": PASSWORD,
        "language": "fa", "queues": [company.queue.to_string()], "skills": {"farsi": 9},
        "device": {"kind": "sip", "target": {"user": "201", "address": "192.0.2.7:5060"}},
    });
    let made = house.tell(&session, Method::POST, "/api/v1/users", &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.json());
    let made = made.json();
    assert_eq!(made["mail"], "new@example.com");
    assert_eq!(made["device"]["target"]["address"], "192.0.2.7:5060");
    let again = house.tell(&session, Method::POST, "/api/v1/users", &body).await;
    assert_eq!(again.code(), "mail_taken");
    let login = json!({"mail": "new@example.com", "password": PASSWORD});
    let me = house.tell("", Method::POST, "/api/v1/session", &login).await.json();
    assert_eq!((&me["agent"], &me["language"]), (&json!(true), &json!("fa")));

    let path = format!("/api/v1/users/{}", made["id"].as_str().unwrap());
    body["device"] = Value::Null;
    body["password"] = Value::Null;
    let changed = house.tell(&session, Method::PUT, &path, &body).await;
    assert_eq!(changed.json()["device"], Value::Null, "{:?}", changed.json());
    let me = house.tell("", Method::POST, "/api/v1/session", &login).await.json();
    assert_eq!(me["agent"], false);
    for (field, value, code) in [
        ("mail", json!("nobody"), "bad_mail"),
        ("queues", json!(["7"]), "unknown_queue"),
        ("password", json!("short"), "weak_password"),
        ("role", json!("owner"), "bad_value"),
    ] {
        let mut bad = body.clone();
        bad[field] = value;
        bad["device"] = json!({"kind": "browser"});
        assert_eq!(house.tell(&session, Method::PUT, &path, &bad).await.code(), code, "{field}");
    }
    let own = format!("/api/v1/users/{}", company.people["administrator"]);
    let mut demoted = house.ask(&session, Method::GET, &own).await.json();
    for told in ["id", "phone_username"] {
        demoted.as_object_mut().unwrap().remove(told);
    }
    demoted["role"] = "agent".into();
    let last = house.tell(&session, Method::PUT, &own, &demoted).await;
    assert_eq!(last.code(), "last_administrator");
}

#[tokio::test]
async fn an_extension_is_one_persons_and_no_number() {
    let (house, company, session) = opened().await;
    let person = |name: &str, extension: &str| {
        json!({
            "mail": format!("{name}@example.com"), "name": name, "role": "agent",
            "password": PASSWORD, "language": "en", "extension": extension,
        })
    };
    let post = async |body| house.tell(&session, Method::POST, "/api/v1/users", &body).await;
    let made = post(person("first", "7012")).await.json();
    assert_eq!(made["extension"], "7012", "{made}");
    let numbers = house.ask(&session, Method::GET, "/api/v1/numbers").await.json();
    let numbers = numbers["items"].as_array().unwrap().iter();
    let number = numbers.map(|row| row["dialled"].as_str().unwrap().to_owned());
    let number = number.into_iter().find(|number| number.len() <= 6).unwrap();
    for (extension, code) in [
        ("7012", "extension_taken"),
        (number.as_str(), "extension_taken"),
        ("7", "bad_extension"),
        ("7012345", "bad_extension"),
        ("*61", "bad_extension"),
        ("+701", "bad_extension"),
        ("", "bad_extension"),
    ] {
        let refused = post(person("second", extension)).await;
        assert_eq!(
            (refused.code(), refused.json()["errors"][0]["pointer"].as_str()),
            (code.into(), Some("/extension")),
            "{extension}"
        );
    }
    // Nor may a number become what somebody is reached by.
    let lead = json!({"flow": company.flow.to_string()});
    for number in ["7012", "+7012"] {
        let path = format!("/api/v1/numbers/{number}");
        assert_eq!(house.tell(&session, Method::PUT, &path, &lead).await.code(), "extension_taken");
    }
    // It is kept by its owner, and given back when it is left out.
    let path = format!("/api/v1/users/{}", made["id"].as_str().unwrap());
    let mut body = person("first", "7012");
    body["device"] = json!({"kind": "browser"});
    let kept = house.tell(&session, Method::PUT, &path, &body).await.json();
    assert_eq!(kept["extension"], "7012", "{kept}");
    body.as_object_mut().unwrap().remove("extension");
    let left = house.tell(&session, Method::PUT, &path, &body).await.json();
    assert_eq!(left["extension"], Value::Null, "{left}");
    assert_eq!(post(person("second", "7012")).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_telephone_gets_a_secret_that_is_shown_once() {
    let (house, _, session) = opened().await;
    let mut body = json!({
        "mail": "desk@example.com", "name": "Desk", "role": "agent", "password": PASSWORD,
        "language": "en", "device": {"kind": "browser"},
    });
    let made = house.tell(&session, Method::POST, "/api/v1/users", &body).await.json();
    assert_eq!(made["phone_username"], Value::Null);
    let path = format!("/api/v1/users/{}", made["id"].as_str().unwrap());
    let secret = format!("{path}/phone-secret");
    let wish = json!({"digest": "md5"});
    let renew = async || house.tell(&session, Method::POST, &secret, &wish).await;
    assert_eq!(renew().await.code(), "no_phone", "theirs is the page");

    body["device"] = json!({"kind": "phone"});
    let changed = house.tell(&session, Method::PUT, &path, &body).await.json();
    assert_eq!(changed["device"], json!({"kind": "phone"}), "{changed}");
    let first = renew().await;
    assert_eq!((first.status, first.header("etag")), (StatusCode::OK, "\"4\""));
    let second = renew().await.json();
    let first = first.json();
    assert_eq!(first["username"], second["username"]);
    assert_ne!(first["secret"], second["secret"]);
    let shown = house.ask(&session, Method::GET, &path).await.json();
    assert_eq!(shown["phone_username"], first["username"]);
    let all = house.ask(&session, Method::GET, "/api/v1/users").await.json().to_string();
    let versions = house.ask(&session, Method::GET, "/api/v1/config/versions").await.json();
    let said = format!("{all}{versions}");
    assert!(!said.contains(first["secret"].as_str().unwrap()), "{said}");
    assert!(said.contains("new telephone secret of user"), "{said}");

    body["device"] = json!({"kind": "browser"});
    let back = house.tell(&session, Method::PUT, &path, &body).await.json();
    assert_eq!(back["phone_username"], Value::Null);
    assert_eq!(house.ask(&session, Method::GET, &path).await.json()["phone_username"], Value::Null);
}

#[tokio::test]
async fn access_is_taken_back() {
    let (house, company, session) = opened().await;
    let delete = async |who: &str, session: &str| {
        let path = format!("/api/v1/users/{}", company.people[who]);
        house.ask(session, Method::DELETE, &path).await
    };
    let call = recorded_call(&house, &company, 1).await;
    assert_eq!(delete("administrator", &session).await.code(), "oneself");
    let agent = &company.sessions["agent"];
    assert_eq!(house.ask(agent, Method::GET, "/api/v1/me").await.status, StatusCode::OK);
    let gone = delete("agent", &session).await;
    assert_eq!((gone.status, gone.header("etag")), (StatusCode::NO_CONTENT, "\"2\""));
    assert_eq!(house.ask(agent, Method::GET, "/api/v1/me").await.code(), "no_session");
    let login = json!({"mail": "agent@example.com", "password": PASSWORD});
    let refused = house.tell("", Method::POST, "/api/v1/session", &login).await;
    assert_eq!(refused.code(), "bad_credentials");
    assert_eq!(delete("agent", &session).await.code(), "not_found");
    let kept = house.ask(&session, Method::GET, &format!("/api/v1/calls/{call}")).await.json();
    assert_eq!(kept["agent"]["id"], company.people["agent"].to_string());

    let db = house.store.system(company.tenant);
    let key = db.create_api_key("ci".into(), Role::Administrator, NOW, None).await.unwrap();
    let path = format!("/api/v1/users/{}", company.people["administrator"]);
    let last = Request::builder()
        .method(Method::DELETE)
        .uri(path)
        .header("authorization", format!("Bearer {}", key.reveal()))
        .body(Body::empty())
        .unwrap();
    assert_eq!(house.send(last).await.code(), "last_administrator");
}

#[tokio::test]
async fn prompts_are_uploaded_and_heard() {
    let (house, _, session) = opened().await;
    let put = |path: &'static str, kind: &'static str, sound: &'static [u8]| {
        let request = request(&session, Method::PUT, path).header("content-type", kind);
        let house = &house;
        async move { house.send(request.body(Body::from(sound)).unwrap()).await }
    };
    let made = put("/api/v1/prompts/hello/en", "audio/wav", b"RIFF1234").await;
    assert_eq!(made.json(), json!({"name": "hello", "variants": {"en": {"length_ms": 1}}}));
    let heard = house.ask(&session, Method::GET, "/api/v1/prompts/hello/en").await;
    assert_eq!((heard.header("content-type"), heard.bytes.len()), ("audio/wav", 44 + 16));
    let bad = put("/api/v1/prompts/hello/en", "audio/wav", b"no sound").await;
    assert_eq!((bad.status.as_u16(), bad.code().as_str()), (422, "bad_sound"));
    let fault = &bad.json()["errors"][0];
    assert_eq!(fault["detail"], "From byte 12: this is no WAV file.");
    assert_eq!(put("/api/v1/prompts/hello/en", "image/png", b"RIFF").await.code(), "wrong_type");
    for path in ["/api/v1/prompts/hello/x!", "/api/v1/prompts/hello/english"] {
        assert_eq!(put(path, "audio/wav", b"RIFF").await.code(), "bad_language");
    }
    assert_eq!(put("/api/v1/prompts/hello/*", "audio/wav", b"RIFF").await.status.as_u16(), 200);
    let missing = house.ask(&session, Method::GET, "/api/v1/prompts/hello/de").await;
    assert_eq!(missing.code(), "not_found");
}

#[tokio::test]
async fn two_calendars_exchange_their_names() {
    let (house, _, session) = opened().await;
    let put = |calendars: Value| {
        let (house, session) = (&house, &session);
        async move { house.tell(session, Method::PUT, "/api/v1/calendars", &calendars).await }
    };
    let named = |name: &str| json!({"name": name, "week": {"1": []}});
    let made = put(json!({"new-1": named("Office"), "new-2": named("Night")})).await.json();
    let ids: Vec<_> = made.as_object().unwrap().iter().collect();
    let exchanged: serde_json::Map<String, Value> = ids
        .iter()
        .zip(ids.iter().rev())
        .map(|((id, _), (_, other))| ((*id).clone(), named(other["name"].as_str().unwrap())))
        .collect();
    let changed = put(Value::Object(exchanged.clone())).await;
    assert_eq!(changed.status, StatusCode::OK, "{:?}", changed.json());
    let kept = house.ask(&session, Method::GET, "/api/v1/calendars").await.json();
    for (id, calendar) in exchanged {
        assert_eq!(kept[&id]["name"], calendar["name"]);
    }
}

#[tokio::test]
async fn a_stale_upload_is_refused_before_it_is_read() {
    let (house, company, session) = opened().await;
    let put = |etag: &'static str, sound: Body| {
        let request = request(&session, Method::PUT, "/api/v1/prompts/hello/en")
            .header("content-type", "audio/wav")
            .header("if-match", etag);
        house.send(request.body(sound).unwrap())
    };
    let never = || Body::from_stream(futures::stream::pending::<std::io::Result<Vec<u8>>>());
    assert_eq!(put("\"7\"", never()).await.code(), "stale");
    assert_eq!(put("\"1\"", Body::from("RIFF")).await.status, StatusCode::OK);

    // Only so many are read at once; the next is told after a while.
    let third = async {
        // The first tries may come before the slow ones are there.
        while put("*", Body::from("RIFF")).await.code() != "overloaded" {}
    };
    tokio::select! {
        reply = put("*", never()) => panic!("{reply:?}"),
        reply = put("*", never()) => panic!("{reply:?}"),
        () = third => {}
    }
    assert_eq!(put("*", Body::from("RIFF")).await.status, StatusCode::OK);

    // A prompt that is full of languages takes a better recording of one of them.
    let full = |draft: &mut ConfigDraft| -> Result<(), store::StoreError> {
        let prompt = draft.config.prompts.values_mut().find(|prompt| prompt.name == "hello");
        let variants = &mut prompt.unwrap().variants;
        let clip = variants["en"];
        for n in 0..99 {
            variants.insert(format!("aa-{n:02}"), clip);
        }
        Ok(())
    };
    let edit = Edit { expected: None, summary: "many".into(), at: NOW };
    house.store.system(company.tenant).edit_config(edit, full).await.unwrap();
    assert_eq!(put("*", Body::from("RIFF again")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn lists_are_replaced_whole() {
    let (house, _, session) = opened().await;
    let twice = json!({"items": [{"code": "a", "label": "A"}, {"code": "a", "label": "B"}]});
    let reply = house.tell(&session, Method::PUT, "/api/v1/dispositions", &twice).await;
    assert_eq!(reply.json()["errors"][0]["pointer"], "/items/1/code");
    let reasons = json!({"items": [{"code": "tea", "label": "Tea"}]});
    let kept = house.tell(&session, Method::PUT, "/api/v1/break-reasons", &reasons).await;
    assert_eq!(kept.json(), reasons);

    let office = |until: u16| {
        let day = json!([{"from_min": 480, "until_min": until}]);
        json!({"new": {"name": "Office", "week": {"1": day}, "exceptions": {"2026-12-25": []}}})
    };
    let made = house.tell(&session, Method::PUT, "/api/v1/calendars", &office(1080)).await;
    assert_eq!(made.status, StatusCode::OK, "{:?}", made.json());
    let made = made.json();
    let (id, calendar) = made.as_object().unwrap().iter().next().unwrap();
    assert_eq!((id.len(), &calendar["name"]), (36, &json!("Office")));
    let late = json!([{"from_min": 600, "until_min": 700}, {"from_min": 660, "until_min": 720}]);
    for (bad, fault) in [
        (office(1441), "/new/week/1/0 bad_interval"),
        (office(480), "/new/week/1/0 bad_interval"),
        (json!({"n": {"name": "N", "week": {"8": []}}}), "/n/week/8 bad_weekday"),
        (json!({"n": {"name": "N", "week": {"1": late}}}), "/n/week/1/1 overlap"),
        (
            json!({"n": {"name": "N", "week": {}, "exceptions": {"2026-02-30": []}}}),
            "/n/exceptions/2026-02-30 bad_date",
        ),
        (json!({"n": {"name": "N", "week": {}, "zone": "Moon/Base"}}), "/n/zone unknown_zone"),
    ] {
        let reply = house.tell(&session, Method::PUT, "/api/v1/calendars", &bad).await;
        let first = &reply.json()["errors"][0];
        let told = [&first["pointer"], &first["code"]].map(|text| text.as_str().unwrap());
        assert_eq!(told.join(" "), fault);
        assert_eq!(reply.code(), "bad_calendar", "{bad}");
    }
}
