//! Commands reach the floor as they were meant, once, and its refusals reach the page.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use model::config::Device;
use model::effect::{Fact, FactKind};
use model::event::{OfferOutcome, QueueOutcome};
use model::input::Command;
use model::sip::{LegCause, SipTarget};
use model::{AgentId, CallId, Event, OfferId, Recorded, Refusal, Span};
use serde_json::json;
use store::{Edit, FloorBatch, FloorRow, fresh_id};

use crate::house::{House, NOW, PASSWORD, request};

#[tokio::test]
async fn commands_arrive_as_they_were_meant() {
    let house = House::open().await;
    let company = house.found("100").await;
    let session = &company.sessions["agent"];
    let (call, offer): (CallId, OfferId) = (fresh_id(NOW), fresh_id(NOW));
    let reason = json!({"reason": "lunch"});
    let wrap_up = json!({"disposition": "done", "resolved": true, "note": "Shipped."});
    let to = json!({"queue": company.queue.to_string()});
    let colleague = AgentId::of_user(company.people["agent"]);
    let with = json!({"colleague": colleague.to_string()});
    let gives = json!({"colleague": colleague.to_string(), "hand_over": true});
    let none = serde_json::Value::Null;
    let calls = format!("/api/v1/calls/{call}");
    let offers = format!("/api/v1/offers/{offer}");
    let cases = [
        ("/api/v1/agent/sign-in".to_owned(), &none, Command::SignIn),
        ("/api/v1/agent/sign-out".to_owned(), &none, Command::SignOut),
        ("/api/v1/agent/ready".to_owned(), &none, Command::Ready),
        ("/api/v1/agent/break".to_owned(), &reason, Command::Break { reason: "lunch".into() }),
        (format!("{offers}/accept"), &none, Command::Accept { offer }),
        (format!("{offers}/decline"), &reason, Command::Decline { offer, reason: "lunch".into() }),
        (format!("{calls}/hold"), &none, Command::Hold { call }),
        (format!("{calls}/resume"), &none, Command::Resume { call }),
        (format!("{calls}/transfer"), &to, Command::Transfer { call, queue: company.queue }),
        (format!("{calls}/consult"), &with, Command::Consult { call, colleague, hand_over: false }),
        (format!("{calls}/consult"), &gives, Command::Consult { call, colleague, hand_over: true }),
        (format!("{calls}/consult/end"), &none, Command::EndConsult { call }),
        (format!("{calls}/consult/hand-over"), &none, Command::HandOver { call }),
        (format!("{calls}/conference"), &none, Command::Conference { call }),
        (format!("{calls}/conference/end"), &none, Command::EndConference { call }),
        (format!("{calls}/hangup"), &none, Command::Hangup { call }),
        (
            format!("{calls}/wrap-up/extend"),
            &json!({"seconds": 30}),
            Command::ExtendWrapUp { call, by_ms: 30_000 },
        ),
        (
            format!("{calls}/wrap-up"),
            &wrap_up,
            Command::WrapUp {
                call,
                disposition: "done".into(),
                resolved: true,
                note: "Shipped.".into(),
            },
        ),
    ];
    for (path, body, wanted) in cases {
        let reply = if body.is_null() {
            house.ask(session, Method::POST, &path).await
        } else {
            house.tell(session, Method::POST, &path, body).await
        };
        assert_eq!(reply.status, StatusCode::NO_CONTENT, "{path} {reply:?}");
        let (tenant, agent, command) = house.floor.commands.lock().unwrap().pop().unwrap();
        assert_eq!(tenant, company.tenant);
        assert_eq!(agent, AgentId::of_user(company.people["agent"]));
        assert_eq!(command, wanted);
    }
    let long = json!({"disposition": "done", "resolved": true, "note": "x".repeat(4_001)});
    let refused = house.tell(session, Method::POST, &format!("{calls}/wrap-up"), &long).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], "/note");
    let supervisor = &company.sessions["supervisor"];
    let no_seat = house.ask(supervisor, Method::POST, "/api/v1/agent/ready").await;
    assert_eq!(no_seat.code(), "no_seat");
}

/// Whoever signed out must not be rung at a telephone that still works.
#[tokio::test]
async fn the_last_sign_out_ends_the_shift() {
    let house = House::open().await;
    let company = house.found("100").await;
    let agent = AgentId::of_user(company.people["agent"]);
    let db = house.store.system(company.tenant);
    let edit = Edit { expected: None, summary: "a SIP telephone".into(), at: NOW };
    let target =
        SipTarget { user: "201".parse().unwrap(), address: "192.0.2.7:5060".parse().unwrap() };
    db.edit_config(edit, |draft| -> Result<_, store::StoreError> {
        let device = Device::Sip { device: fresh_id(NOW), target };
        draft.config.agents.entry(agent).and_modify(|agent| agent.device = device);
        Ok(())
    })
    .await
    .unwrap();
    let second =
        db.create_session(company.people["agent"], NOW, Span::from_secs(600)).await.unwrap();
    let sign_out = async |session: &str| {
        let reply = house.ask(session, Method::DELETE, "/api/v1/session").await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT);
        std::mem::take(&mut *house.floor.commands.lock().unwrap())
    };
    assert!(sign_out(&company.sessions["agent"]).await.is_empty(), "another page is open");
    assert!(sign_out(&company.sessions["supervisor"]).await.is_empty(), "no seat");
    *house.floor.refusal.lock().unwrap() = Some(Refusal::NotSaved);
    let ended = sign_out(second.reveal()).await;
    assert_eq!(ended, [(company.tenant, agent, Command::SignOut)]);
}

/// A shared desk: the one before left the browser signed in, and their telephone still works.
#[tokio::test]
async fn signing_in_over_somebody_ends_their_shift() {
    let house = House::open().await;
    let company = house.found("100").await;
    let agent = AgentId::of_user(company.people["agent"]);
    let sign_in = async |session: &str, who: &str| {
        let login = json!({"mail": format!("{who}@example.com"), "password": PASSWORD});
        let reply = house.tell(session, Method::POST, "/api/v1/session", &login).await;
        assert_eq!(reply.status, StatusCode::OK);
        std::mem::take(&mut *house.floor.commands.lock().unwrap())
    };
    let ended = sign_in(&company.sessions["agent"], "supervisor").await;
    assert_eq!(ended, [(company.tenant, agent, Command::SignOut)]);
    let over = house.ask(&company.sessions["agent"], Method::GET, "/api/v1/me").await;
    assert_eq!(over.code(), "no_session");
    let own = sign_in(&company.sessions["supervisor"], "supervisor").await;
    assert!(own.is_empty(), "the same person goes on");
}

#[tokio::test]
async fn refusals_have_their_status() {
    let house = House::open().await;
    let company = house.found("100").await;
    for (refusal, status) in [
        (Refusal::NotFound, 404),
        (Refusal::OfferGone, 409),
        (Refusal::WrongState, 409),
        (Refusal::NoDevice, 409),
        (Refusal::UnknownChoice, 422),
        (Refusal::Overloaded, 503),
        (Refusal::NotSaved, 503),
    ] {
        *house.floor.refusal.lock().unwrap() = Some(refusal);
        let session = &company.sessions["agent"];
        let reply = house.ask(session, Method::POST, "/api/v1/agent/ready").await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (status, refusal.code()));
        assert_eq!(reply.headers.contains_key("retry-after"), status == 503);
    }
}

/// Clients that put a key on whatever they send can sign in and upload.
#[tokio::test]
async fn a_key_is_no_hindrance_where_it_means_nothing() {
    let house = House::open().await;
    let company = house.found("100").await;
    let keyed = |session: &str, method: Method, path: &str, kind: &str, body: Body| {
        let request = request(session, method, path)
            .header("content-type", kind)
            .header("idempotency-key", "k1")
            .body(body)
            .unwrap();
        let house = &house;
        async move { house.send(request).await }
    };
    let login = || json!({"mail": "agent@example.com", "password": PASSWORD}).to_string().into();
    let path = "/api/v1/session";
    // Also over a session that is there: its cookie is not repeated from memory.
    for session in ["", &company.sessions["administrator"], &company.sessions["administrator"]] {
        let made = keyed(session, Method::POST, path, "application/json", login()).await;
        assert_eq!(made.status, StatusCode::OK, "{made:?}");
        assert!(made.headers.contains_key("set-cookie"));
        assert!(!made.headers.contains_key("idempotency-replayed"));
    }
    let setup = keyed("", Method::POST, "/api/v1/setup", "application/json", "{}".into()).await;
    assert_ne!(setup.code(), "no_session");
    let administrator = house
        .store
        .system(company.tenant)
        .create_session(company.people["administrator"], NOW, Span::from_secs(600))
        .await
        .unwrap();
    let sound = [b"RIFF".to_vec(), vec![0; 3 << 20]].concat();
    let path = "/api/v1/prompts/hello/en";
    let put = keyed(administrator.reveal(), Method::PUT, path, "audio/wav", sound.into()).await;
    assert_eq!(put.status, StatusCode::OK, "{put:?}");
}

#[tokio::test]
async fn a_command_sent_twice_is_carried_out_once() {
    let house = House::open().await;
    let company = house.found("100").await;
    let send = |session: &str, key: &str, reason: &str| {
        let request = request(session, Method::POST, "/api/v1/agent/break")
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(Body::from(json!({"reason": reason}).to_string()))
            .unwrap();
        let house = &house;
        async move { house.send(request).await }
    };
    let session = company.sessions["agent"].as_str();
    assert_eq!(send(session, "k1", "lunch").await.status, StatusCode::NO_CONTENT);
    let again = send(session, "k1", "lunch").await;
    assert_eq!(again.status, StatusCode::NO_CONTENT);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(house.floor.commands.lock().unwrap().len(), 1);
    assert_eq!(send(session, "k1", "pause").await.code(), "key_reused");
    assert_eq!(send(session, "", "pause").await.code(), "bad_key");
    assert_eq!(send("nobody", "k1", "lunch").await.code(), "no_session");

    // A refusal is decided anew: the state may have changed.
    *house.floor.refusal.lock().unwrap() = Some(Refusal::WrongState);
    assert_eq!(send(session, "k2", "lunch").await.code(), "wrong_state");
    *house.floor.refusal.lock().unwrap() = None;
    assert_eq!(send(session, "k2", "lunch").await.status, StatusCode::NO_CONTENT);
    house.floor.pass(Span::from_secs(3_000));
    house.ask(session, Method::DELETE, "/api/v1/session").await;
    assert_eq!(send(session, "k1", "lunch").await.code(), "no_session");
}

/// What a contact was counts on the day it ended, its wrap-up included.
#[tokio::test]
async fn a_contact_over_midnight_is_of_the_day_it_ended() {
    let house = House::open().await;
    let company = house.found("100").await;
    let agent = AgentId::of_user(company.people["agent"]);
    let queue = company.queue;
    // It is 17:13:20 in Athens.
    let midnight = NOW + Span::from_secs(24_400);
    let talk = |from_s: i64, until_s: i64, wrapped_s: Option<i64>| {
        let (call, entry, leg) = (fresh_id::<CallId>(NOW), fresh_id(NOW), fresh_id(NOW));
        let mut story = vec![
            (from_s, Event::Connected { call, entry, queue, agent, leg }),
            (until_s, Event::Disconnected { call, queue, agent, leg, cause: LegCause::FarHangup }),
        ];
        if let Some(at_s) = wrapped_s {
            let until = midnight + Span::from_secs(at_s);
            story.push((until_s, Event::WrapUpStarted { call, queue, agent, until }));
            let over = Event::WrapUpEnded { call, queue, agent, disposition: None, resolved: None };
            story.push((at_s, over));
        }
        story
    };
    let mut story = [
        talk(-5_000, -4_000, Some(-3_990)),
        // The longest wrap-up, a little late.
        talk(-3_701, -3_601, Some(1)),
        talk(-60, 30, None),
        talk(40, 50, Some(60)),
    ]
    .concat();
    story.sort_by_key(|(at_s, _)| *at_s);
    let events = story.into_iter().zip(1..).map(|((at_s, event), seq)| Recorded {
        tenant: company.tenant,
        seq,
        at: midnight + Span::from_secs(at_s),
        config: 1,
        event,
    });
    let batch = FloorBatch { tenant: company.tenant, events: events.collect(), rows: Vec::new() };
    house.store.floor().commit(batch).await.unwrap();

    house.floor.pass(Span::from_secs(24_400 + 120));
    let session = house
        .store
        .system(company.tenant)
        .create_session(company.people["agent"], NOW, Span::from_secs(200_000))
        .await
        .unwrap();
    let desk = house.ask(session.reveal(), Method::GET, "/api/v1/desk").await.json();
    assert_eq!(desk["today"], json!({"handled": 3, "talk_s": 200.0, "missed": 0}));
}

#[tokio::test]
async fn the_desk_shows_my_day() {
    let house = House::open().await;
    let company = house.found("100").await;
    let agent = AgentId::of_user(company.people["agent"]);
    let call: CallId = fresh_id(NOW);
    let (entry, queue, leg, offer) = (fresh_id(NOW), company.queue, fresh_id(NOW), fresh_id(NOW));
    let waited = Event::QueueLeft {
        call,
        entry,
        queue,
        outcome: QueueOutcome::Answered,
        waited_us: 5_000_000,
    };
    let story = [
        (
            0,
            Event::OfferEnded { call, offer, agent, outcome: OfferOutcome::NoAnswer, reason: None },
        ),
        (1, waited),
        (1, Event::Connected { call, entry, queue, agent, leg }),
        (61, Event::Disconnected { call, queue, agent, leg, cause: LegCause::FarHangup }),
        (61, Event::WrapUpStarted { call, queue, agent, until: NOW + Span::from_secs(90) }),
        (70, Event::WrapUpEnded { call, queue, agent, disposition: None, resolved: None }),
    ];
    let events = story.into_iter().zip(1..).map(|((at_s, event), seq)| Recorded {
        tenant: company.tenant,
        seq,
        at: NOW + Span::from_secs(at_s),
        config: 1,
        event,
    });
    let fact = Fact {
        kind: FactKind::Chosen,
        key: "menu".into(),
        label: "Repairs".into(),
        value: "1".into(),
        secret: None,
    };
    let rows = vec![FloorRow::Fact { call, n: 0, fact, at: NOW }];
    let batch = FloorBatch { tenant: company.tenant, events: events.collect(), rows };
    house.store.floor().commit(batch).await.unwrap();

    let desk = house.ask(&company.sessions["agent"], Method::GET, "/api/v1/desk").await.json();
    assert_eq!(desk["today"], json!({"handled": 1, "talk_s": 60.0, "missed": 1}));
    assert_eq!(desk["dispositions"], json!([{"code": "done", "label": "Done"}]));
    assert_eq!(desk["queues"][0]["name"], "Support");
    let watched = house.ask(&company.sessions["supervisor"], Method::GET, "/api/v1/desk").await;
    assert_eq!(watched.json()["queues"][0]["name"], "Support");
    // The next local day begins at midnight in Athens.
    house.floor.pass(Span::from_secs(86_400));
    let session = house
        .store
        .system(company.tenant)
        .create_session(company.people["agent"], NOW, Span::from_secs(200_000))
        .await
        .unwrap();
    let desk = house.ask(session.reveal(), Method::GET, "/api/v1/desk").await.json();
    assert_eq!(desk["today"]["handled"], 0);
}
