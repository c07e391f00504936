//! The live connection over a real socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::{TopicData, Update};
use axum::http::{Method, StatusCode};
use futures::{SinkExt, StreamExt};
use model::event::{AgentState, Consent};
use model::view::{AgentView, CallView, ContactView, QueueView, RecordView};
use model::{AgentId, Span, Timestamp, Topic};
use serde_json::{Value, json};
use store::{FloorBatch, FloorRow, TokenDigest, fresh_id};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::calls::recorded_call;
use crate::house::{Company, House, NOW};

pub(crate) type Wire = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Nothing in these tests takes longer.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) struct Live {
    pub(crate) house: House,
    pub(crate) company: Company,
    address: SocketAddr,
}

pub(crate) async fn live() -> Live {
    let house = House::open().await;
    let company = house.found("100").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = house.app.clone();
    let entry = api::Entry { listener, tls: None };
    tokio::spawn(api::serve(entry, app, Vec::new(), std::future::pending()));
    Live { house, company, address }
}

impl Live {
    pub(crate) async fn connect(
        &self,
        session: &str,
        origin: &str,
        query: &str,
    ) -> Result<Wire, Error> {
        let url = format!("ws://{}/api/v1/ws{query}", self.address);
        let mut request = url.into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("cookie", format!("antiphon_session={session}").parse().unwrap());
        if !origin.is_empty() {
            headers.insert("origin", origin.parse().unwrap());
        }
        connect_async(request).await.map(|(wire, _)| wire)
    }

    pub(crate) async fn page(&self, who: &str, tab: &str, since: Value) -> Wire {
        let origin = format!("http://{}", self.address);
        let mut wire = self.connect(&self.company.sessions[who], &origin, "").await.unwrap();
        let hello = json!({"type": "hello", "tab": tab, "epoch": 1, "since": since});
        say(&mut wire, &hello).await;
        assert_eq!(hear(&mut wire).await["type"], "welcome");
        wire
    }

    fn agent(&self) -> AgentId {
        AgentId::of_user(self.company.people["agent"])
    }

    fn agent_view(&self, state: AgentState, device_up: bool) -> AgentView {
        AgentView {
            agent: self.agent(),
            state,
            reason: None,
            since: NOW,
            device_up,
            offer: None,
            call: None,
            wrap_up: None,
        }
    }

    fn publish_agent(&self, seq: u64, state: AgentState, device_up: bool) {
        self.publish_view(seq, self.agent_view(state, device_up));
    }

    fn publish_view(&self, seq: u64, view: AgentView) {
        let topic = Topic::Agent(self.agent());
        let update = Update { topic, seq, data: TopicData::Agent(Arc::new(view)) };
        self.house.floor.publish(self.company.tenant, update);
    }

    fn publish_talk(&self, seq: u64, caller: Option<&str>) {
        let contact = ContactView {
            call: fresh_id(NOW),
            party: fresh_id(NOW),
            caller: caller.map(|number| number.parse().unwrap()),
            dialled: "100".parse().unwrap(),
            queue: self.company.queue,
            language: "en".into(),
            facts: vec![],
            queued_at: NOW,
            consent: Consent::Given,
        };
        let call = CallView {
            contact,
            connected_at: NOW,
            leg: fresh_id(NOW),
            hold_since: None,
            recording: false,
            consult: None,
            consult_missed: None,
        };
        let view = AgentView { call: Some(call), ..self.agent_view(AgentState::Talking, true) };
        self.publish_view(seq, view);
    }

    fn publish_queue(&self, seq: u64, waiting: u32) {
        let queue = self.company.queue;
        let view = QueueView { queue, waiting, longest_since: None, ready: 0, busy: 0 };
        let data = TopicData::Queue(Arc::new(view));
        let update = Update { topic: Topic::Queue(queue), seq, data };
        self.house.floor.publish(self.company.tenant, update);
    }

    fn publish_record(&self, seq: u64, late_s: Option<i64>) {
        let late_since = late_s.map(|s| NOW - Span::from_secs(s));
        let data = TopicData::Record(RecordView { late_since });
        let update = Update { topic: Topic::Record, seq, data };
        self.house.floor.publish(self.company.tenant, update);
    }

    async fn phones(&self, wanted: &[&str]) {
        let seen = || self.house.floor.phones.lock().unwrap().clone();
        let all = async {
            while seen() != wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(timeout(PATIENCE, all).await.is_ok(), "{:?}", seen());
    }
}

pub(crate) async fn say(wire: &mut Wire, frame: &Value) {
    wire.send(Message::text(frame.to_string())).await.unwrap();
}

pub(crate) async fn hear(wire: &mut Wire) -> Value {
    match timeout(PATIENCE, wire.next()).await.unwrap() {
        Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
        other => panic!("expected a frame, got {other:?}"),
    }
}

/// The code the server closes with, frames before it passed over.
pub(crate) async fn closed(wire: &mut Wire) -> u16 {
    loop {
        match timeout(PATIENCE, wire.next()).await.unwrap() {
            Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
            Some(Ok(_)) => {}
            other => panic!("expected a close, got {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_page_watches_and_resumes() {
    let live = live().await;
    live.publish_agent(1, AgentState::Break, false);
    live.publish_queue(2, 0);
    let queue = format!("queue:{}", live.company.queue);
    let mut page = live.page("agent", "a", json!({})).await;
    say(&mut page, &json!({"type": "subscribe", "topics": ["me", queue]})).await;
    let (first, second) = (hear(&mut page).await, hear(&mut page).await);
    assert_eq!((&first["topic"], &first["data"]["state"]), (&json!("me"), &json!("break")));
    assert_eq!(second["data"]["queue"]["name"], "Support");
    live.publish_agent(3, AgentState::Ready, true);
    let (state, update) = (hear(&mut page).await, hear(&mut page).await);
    assert_eq!(state, json!({"type": "rtc.state", "up": true}));
    assert_eq!(update["data"]["state"], "ready");
    assert_eq!(update["data"]["since"], "2026-09-21T14:13:20.000000Z");
    say(&mut page, &json!({"type": "ping"})).await;
    assert_eq!(hear(&mut page).await, json!({"type": "pong"}));

    // A page that comes back with the newest number of a topic is sent only the others.
    drop(page);
    live.publish_queue(4, 7);
    let since = json!({"me": update["seq"], queue.as_str(): second["seq"]});
    let mut back = live.page("agent", "a", since).await;
    say(&mut back, &json!({"type": "subscribe", "topics": ["me", queue]})).await;
    let missed = hear(&mut back).await;
    assert_eq!((&missed["topic"], &missed["data"]["waiting"]), (&json!(queue), &json!(7)));
    say(&mut back, &json!({"type": "ping"})).await;
    assert_eq!(hear(&mut back).await["type"], "pong", "nothing else was sent");
}

/// Customers do not repeat themselves: what was done for them is known while they are on the line,
/// whoever did it, and of nobody whose number only begins the same.
#[tokio::test]
async fn the_customer_on_the_desk_is_known_to_their_agent() {
    let live = live().await;
    let (house, company) = (&live.house, &live.company);
    let colleague = AgentId::of_user(company.people["supervisor"]);
    let mut calls = Vec::new();
    for seq in [1, 10] {
        let call = recorded_call(house, company, seq).await;
        let db = house.store.system(company.tenant);
        let mut row = db.call(call).await.unwrap().row;
        row.agent = Some(colleague);
        let rows = vec![FloorRow::Call(Box::new(row))];
        let batch = FloorBatch { tenant: company.tenant, events: vec![], rows };
        house.store.floor().commit(batch).await.unwrap();
        calls.push(call.to_string());
    }
    let session = &company.sessions["agent"];
    let ask = |path: String| async move { house.ask(session, Method::GET, &path).await };
    let earlier =
        |number: &str| ask(format!("/api/v1/calls?caller={}", number.replace('+', "%2B")));
    // 1 and 10 are +302105550101 and +302105550110; the third is the beginning of both.
    let number = "+302105550101";
    assert_eq!(earlier(number).await.json()["items"], json!([]), "nobody is on the line");
    assert_eq!(ask(format!("/api/v1/calls/{}", calls[0])).await.code(), "not_found");

    live.publish_talk(3, Some(number));
    let found = earlier(number).await.json();
    let ids: Vec<_> = found["items"].as_array().unwrap().iter().map(|row| &row["id"]).collect();
    assert_eq!(ids, [&json!(calls[0])]);
    assert_eq!(earlier("+3021055501").await.json()["items"], json!([]));
    assert_eq!(earlier("+302105550110").await.json()["items"], json!([]), "another customer");
    let detail = ask(format!("/api/v1/calls/{}", calls[0])).await.json();
    assert_eq!((&detail["note"], &detail["recordings"]), (&json!("Shipped."), &json!([])));
    assert_eq!(ask(format!("/api/v1/calls/{}/recordings/1", calls[0])).await.code(), "not_found");
    assert_eq!(ask(format!("/api/v1/calls/{}", calls[1])).await.code(), "not_found");

    live.publish_talk(4, Some("+3021055501"));
    assert_eq!(earlier("+3021055501").await.json()["items"], json!([]), "no number begins it");
    live.publish_agent(5, AgentState::Ready, true);
    assert_eq!(earlier(number).await.json()["items"], json!([]), "off the line again");
}

/// What ends the sessions of somebody would cut their customer off.
#[tokio::test]
async fn nobody_is_removed_while_they_talk() {
    let live = live().await;
    let session = &live.company.sessions["administrator"];
    let path = format!("/api/v1/users/{}", live.company.people["agent"]);
    let mut body = live.house.ask(session, Method::GET, &path).await.json();
    for told in ["id", "phone_username"] {
        body.as_object_mut().unwrap().remove(told);
    }
    live.publish_talk(7, None);
    let mut without_phone = body.clone();
    without_phone["device"] = Value::Null;
    let mut elsewhere = body.clone();
    elsewhere["device"] = serde_json::json!({"kind": "phone"});
    body["password"] = "a new long password".into();
    for body in [&body, &without_phone, &elsewhere] {
        let put = live.house.tell(session, Method::PUT, &path, body).await;
        assert_eq!((put.status, put.code().as_str()), (StatusCode::CONFLICT, "on_contact"));
    }
    let gone = live.house.ask(session, Method::DELETE, &path).await;
    assert_eq!((gone.status, gone.code().as_str()), (StatusCode::CONFLICT, "on_contact"));
    live.publish_agent(8, AgentState::Ready, true);
    let put = live.house.tell(session, Method::PUT, &path, &body).await;
    assert_eq!(put.status, StatusCode::OK, "{:?}", put.json());
    assert_eq!(live.house.ask(session, Method::DELETE, &path).await.status, StatusCode::NO_CONTENT);
}

/// Nobody is signed out in the middle of a shift, nor of a conversation after a very long one.
#[tokio::test]
async fn an_open_page_keeps_its_session() {
    let live = live().await;
    let token = TokenDigest::of(&live.company.sessions["agent"]);
    let hours = |n: i64| NOW + Span::from_secs(n * 3_600);
    let lasts_until = async |wanted: Timestamp| {
        let expires = async || {
            let session = live.house.store.session(token, NOW).await.unwrap();
            session.map(|session| session.term.expires_at)
        };
        let reached = async {
            while expires().await != Some(wanted) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(timeout(PATIENCE, reached).await.is_ok(), "{:?}", expires().await);
    };
    lasts_until(hours(1)).await;
    let page = live.page("agent", "a", json!({})).await;
    lasts_until(hours(12)).await;
    live.house.floor.pass(Span::from_secs(11 * 3_600));
    drop(page);
    let page = live.page("agent", "a", json!({})).await;
    lasts_until(hours(23)).await;
    live.house.floor.pass(Span::from_secs(11 * 3_600));
    drop(page);
    let mut page = live.page("agent", "a", json!({})).await;
    lasts_until(hours(24)).await;

    live.publish_talk(7, None);
    live.house.floor.pass(Span::from_secs(7_000));
    lasts_until(hours(22) + Span::from_secs(7_000 + 1_800)).await;
    live.publish_agent(8, AgentState::Ready, true);
    live.house.floor.pass(Span::from_secs(1_801));
    assert_eq!(closed(&mut page).await, 4401);
}

#[tokio::test]
async fn everybody_learns_that_the_record_is_late_and_that_it_is_whole_again() {
    let live = live().await;
    live.publish_record(1, None);
    for who in ["agent", "supervisor"] {
        let mut page = live.page(who, who, json!({})).await;
        say(&mut page, &json!({"type": "subscribe", "topics": ["record"]})).await;
        let first = hear(&mut page).await;
        assert_eq!(
            (&first["topic"], &first["data"]),
            (&json!("record"), &json!({"late_since": null}))
        );
        live.publish_record(2, Some(3));
        let late = hear(&mut page).await;
        assert_eq!(late["data"], json!({"late_since": "2026-09-21T14:13:17.000000Z"}));
        assert!(first["seq"].as_u64() < late["seq"].as_u64());

        // A page that comes back knows what it knows, and hears what it missed.
        drop(page);
        let since = json!({"record": late["seq"]});
        let mut back = live.page(who, who, since).await;
        say(&mut back, &json!({"type": "subscribe", "topics": ["record"]})).await;
        live.publish_record(3, None);
        assert_eq!(hear(&mut back).await["data"], json!({"late_since": null}));
        live.publish_record(1, None);
    }
}

#[tokio::test]
async fn only_our_pages_and_tickets_get_in() {
    let live = live().await;
    let session = &live.company.sessions["agent"];
    for origin in ["http://evil.example", "null", ""] {
        match live.connect(session, origin, "").await {
            Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 403, "{origin}"),
            other => panic!("{origin}: {:?}", other.map(|_| ())),
        }
    }
    let own = format!("http://{}", live.address);
    let mut stranger = live.connect("guess", &own, "").await.unwrap();
    assert_eq!(closed(&mut stranger).await, 4401);

    let ticket = live.house.ask(session, Method::POST, "/api/v1/ws/ticket").await.json();
    let query = format!("?ticket={}", ticket["ticket"].as_str().unwrap());
    let mut wire = live.connect("", "", &query).await.unwrap();
    say(&mut wire, &json!({"type": "hello", "tab": "t", "epoch": 1})).await;
    assert_eq!(hear(&mut wire).await["type"], "welcome");
    let mut again = live.connect("", "", &query).await.unwrap();
    assert_eq!(closed(&mut again).await, 4401);
}

#[tokio::test]
async fn forbidden_topics_are_refused_without_a_hint() {
    let live = live().await;
    let other = live.house.found("200").await;
    let stranger = format!("queue:{}", other.queue);
    let mut page = live.page("agent", "a", json!({})).await;
    for topic in [stranger.as_str(), "queue:x", "all"] {
        say(&mut page, &json!({"type": "subscribe", "topics": [topic]})).await;
        let detail = "You may not watch this.";
        let refused =
            json!({"type": "error", "code": "forbidden_topic", "detail": detail, "place": topic});
        assert_eq!(hear(&mut page).await, refused);
    }
    let mut page = live.page("supervisor", "a", json!({})).await;
    say(&mut page, &json!({"type": "subscribe", "topics": ["me"]})).await;
    assert_eq!(closed(&mut page).await, 4403, "without a seat there is no topic about oneself");
    let mut page = live.page("supervisor", "a", json!({})).await;
    let own = format!("queue:{}", live.company.queue);
    live.publish_queue(1, 3);
    say(&mut page, &json!({"type": "subscribe", "topics": [own]})).await;
    assert_eq!(hear(&mut page).await["data"]["waiting"], 3);
}

#[tokio::test]
async fn a_page_that_loses_a_queue_goes_on_and_one_without_a_seat_begins_anew() {
    let live = live().await;
    let queue = format!("queue:{}", live.company.queue);
    live.publish_agent(1, AgentState::Break, false);
    let mut page = live.page("agent", "a", json!({})).await;
    say(&mut page, &json!({"type": "subscribe", "topics": ["me", queue]})).await;
    assert_eq!(hear(&mut page).await["topic"], "me");
    let administrator = &live.company.sessions["administrator"];
    let path = format!("/api/v1/users/{}", live.company.people["agent"]);
    let mut user = json!({
        "mail": "agent@example.com", "name": "agent", "role": "agent", "language": "en",
        "device": {"kind": "browser"},
    });
    let done = live.house.tell(administrator, Method::PUT, &path, &user).await;
    assert_eq!(done.status.as_u16(), 200);
    let told = hear(&mut page).await;
    assert_eq!((&told["code"], &told["place"]), (&json!("forbidden_topic"), &json!(queue)));
    live.publish_queue(2, 7);
    live.publish_agent(3, AgentState::Ready, false);
    // The telephone's state may come first; the queue's must not come at all.
    let mut next = hear(&mut page).await;
    while next["type"] == "rtc.state" {
        next = hear(&mut page).await;
    }
    assert_eq!(next["topic"], "me", "{next}");

    user["device"] = Value::Null;
    let done = live.house.tell(administrator, Method::PUT, &path, &user).await;
    assert_eq!(done.status.as_u16(), 200);
    assert_eq!(closed(&mut page).await, 4403);
}

#[tokio::test]
async fn one_account_does_not_take_every_place() {
    let live = live().await;
    let mut pages = Vec::new();
    for n in 0..20 {
        pages.push(live.page("agent", &format!("t{n}"), json!({})).await);
    }
    let origin = format!("http://{}", live.address);
    match live.connect(&live.company.sessions["agent"], &origin, "").await {
        Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 429),
        other => panic!("{:?}", other.map(|_| ())),
    }
    drop(live.page("supervisor", "a", json!({})).await);
    drop(pages.pop());
    let again = async {
        while live.connect(&live.company.sessions["agent"], &origin, "").await.is_err() {}
    };
    timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn bad_frames_are_answered_with_code_and_place() {
    let live = live().await;
    let own = format!("http://{}", live.address);
    let session = &live.company.sessions["agent"];
    let mut wire = live.connect(session, &own, "").await.unwrap();
    say(&mut wire, &json!({"type": "ping"})).await;
    assert_eq!(hear(&mut wire).await["code"], "wrong_order");
    let mut page = live.page("agent", "a", json!({})).await;
    say(&mut page, &json!({"type": "subscribe", "topics": "me"})).await;
    let refused = hear(&mut page).await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("bad_value")));
    assert_eq!(refused["place"], "/topics");
    page.send(Message::text("{\"type\":\n{")).await.unwrap();
    let broken = hear(&mut page).await;
    assert_eq!(broken["code"], "bad_json");
    assert!(broken["detail"].as_str().unwrap().contains("line 2 column 1"), "{broken}");
    page.send(Message::binary(vec![0])).await.unwrap();
    assert_eq!(closed(&mut page).await, 1003);

    let mut big = live.page("agent", "a", json!({})).await;
    big.send(Message::text("x".repeat(1_000_000))).await.unwrap();
    assert_eq!(closed(&mut big).await, 1009);
    let mut rude = live.page("agent", "a", json!({})).await;
    for _ in 0..30 {
        rude.send(Message::text("{")).await.unwrap();
    }
    assert_eq!(closed(&mut rude).await, 1008);
}

#[tokio::test]
async fn one_tab_owns_the_phone() {
    let live = live().await;
    let mut first = live.page("agent", "a", json!({})).await;
    say(&mut first, &json!({"type": "rtc.offer", "sdp": "offer"})).await;
    assert_eq!(hear(&mut first).await, json!({"type": "rtc.answer", "sdp": "answer"}));
    say(&mut first, &json!({"type": "rtc.offer", "sdp": "bad"})).await;
    assert_eq!(hear(&mut first).await["code"], "no_device");
    let mut second = live.page("agent", "b", json!({})).await;
    say(&mut second, &json!({"type": "rtc.offer", "sdp": "second"})).await;
    assert_eq!(hear(&mut second).await, json!({"type": "rtc.taken"}), "asks, and is refused");
    say(&mut second, &json!({"type": "rtc.offer", "sdp": "second", "take": true})).await;
    assert_eq!(hear(&mut second).await["type"], "rtc.answer");
    assert_eq!(hear(&mut first).await, json!({"type": "rtc.taken"}), "told at once");

    // The same tab twice: only its last connection gives the phone up.
    let again = live.page("agent", "b", json!({})).await;
    drop(second);
    drop(first);
    let mut all = vec!["back a", "offer a 1", "offer a 1", "back b", "offer b 1", "take b 1"];
    all.extend(["back b", "gone a"]);
    live.phones(&all).await;
    drop(again);
    all.push("gone b");
    live.phones(&all).await;

    let mut supervisor = live.page("supervisor", "s", json!({})).await;
    say(&mut supervisor, &json!({"type": "rtc.offer", "sdp": "offer"})).await;
    assert_eq!(hear(&mut supervisor).await["code"], "no_seat");
}

#[tokio::test]
async fn a_sleeping_page_gets_the_newest_state_once() {
    let live = live().await;
    let queue = format!("queue:{}", live.company.queue);
    let mut page = live.page("supervisor", "a", json!({})).await;
    live.publish_queue(1, 0);
    say(&mut page, &json!({"type": "subscribe", "topics": [queue]})).await;
    assert_eq!(hear(&mut page).await["data"]["waiting"], 0);
    // Far more than a socket buffer holds: without coalescing this would be all sent.
    for n in 0..10_000_u32 {
        live.publish_queue(u64::from(n) + 2, n);
    }
    let mut frames = 0;
    let mut last = 0;
    while last < 9_999 {
        last = hear(&mut page).await["data"]["waiting"].as_u64().unwrap();
        frames += 1;
    }
    assert!(frames < 5_000, "{frames} frames");
}
