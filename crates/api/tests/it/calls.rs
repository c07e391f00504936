//! Records of calls as lists, details and sound.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use model::effect::{Fact, FactKind};
use model::event::{CallOutcome, Consent, QueueOutcome};
use model::sip::LegCause;
use model::{
    AgentId, CallId, Event, LegId, PartyId, QueueEntryId, QueueId, Recorded, RecordingId, Span,
    Timestamp,
};
use serde_json::json;
use store::{CallRow, CallbackFilter, FloorBatch, FloorRow, RecordingRow, fresh_id};

use crate::house::{Company, House, NOW, request};

struct Story {
    batch: FloorBatch,
    row: CallRow,
}

fn begin(company: &Company, seq: u64, at: Timestamp) -> Story {
    let (call, leg, party): (CallId, LegId, PartyId) = (fresh_id(at), fresh_id(at), fresh_id(at));
    let dialled: model::DialString = "100".parse().unwrap();
    let flow = company.flow;
    let event =
        Event::CallStarted { call, leg, party, dialled: dialled.clone(), flow, flow_version: 1 };
    let row = CallRow {
        call,
        party,
        leg,
        dialled,
        flow,
        flow_version: 1,
        language: "en".into(),
        consent: Consent::Given,
        started_at: at,
        answered_at: None,
        ended_at: None,
        queue: None,
        waiting_since: None,
        agent: None,
        waited_us: 0,
        talk_us: 0,
        hold_us: 0,
        wrap_us: 0,
        outcome: None,
        cause: None,
        disposition: None,
        resolved: None,
        recorded: false,
        finished: false,
    };
    let caller =
        FloorRow::Party { party, number: Some(format!("+3021055501{seq:02}")), name: None };
    let recorded = Recorded { tenant: company.tenant, seq, at, config: 1, event };
    let batch = FloorBatch { tenant: company.tenant, events: vec![recorded], rows: vec![caller] };
    Story { batch, row }
}

/// A call that somebody handled, with a recording. Events take five places from `seq` on.
pub(crate) async fn recorded_call(house: &House, company: &Company, seq: u64) -> CallId {
    let Story { mut batch, mut row } = begin(company, seq, NOW);
    let (call, queue, leg) = (row.call, company.queue, row.leg);
    let (entry, agent) = (fresh_id::<QueueEntryId>(NOW), AgentId::of_user(company.people["agent"]));
    let rest = [
        (1, Event::CallAnswered { call }),
        (2, Event::Queued { call, entry, queue, priority: 0 }),
        (
            7,
            Event::QueueLeft {
                call,
                entry,
                queue,
                outcome: QueueOutcome::Answered,
                waited_us: 5_000_000,
            },
        ),
        (7, Event::Connected { call, entry, queue, agent, leg }),
        (67, Event::CallEnded { call, cause: LegCause::FarHangup, outcome: CallOutcome::Handled }),
    ];
    for ((at_s, event), n) in rest.into_iter().zip(1..) {
        batch.events.push(Recorded {
            tenant: company.tenant,
            seq: seq * 100 + n,
            at: NOW + Span::from_secs(at_s),
            config: 1,
            event,
        });
    }
    row.ended_at = Some(NOW + Span::from_secs(67));
    row.queue = Some(queue);
    row.agent = Some(agent);
    row.waited_us = 5_000_000;
    row.talk_us = 60_000_000;
    row.outcome = Some(CallOutcome::Handled);
    row.disposition = Some("done".into());
    row.resolved = Some(true);
    row.recorded = true;
    let fact = Fact {
        kind: FactKind::Typed,
        key: "order".into(),
        label: "Order number".into(),
        value: "4711".into(),
        secret: None,
    };
    let db = house.store.system(company.tenant);
    batch.rows.extend([
        FloorRow::Call(Box::new(row)),
        FloorRow::Fact { call, n: 0, fact, at: NOW },
        FloorRow::Note { call, agent, text: "Shipped.".into(), at: NOW },
        FloorRow::Recording(RecordingRow {
            recording: fresh_id::<RecordingId>(NOW),
            call,
            n: 1,
            legs: vec![leg],
            started_at: NOW + Span::from_secs(7),
            path: db.recording_place(call, 1, "2026-09-21"),
            length_ms: 60_000,
            complete: true,
            sha256: None,
        }),
    ]);
    house.store.floor().commit(batch).await.unwrap();
    call
}

/// A call that no agent reached, still going on.
pub(crate) async fn call_of_nobody(house: &House, company: &Company, seq: u64) -> CallId {
    let Story { mut batch, row } = begin(company, seq, NOW + Span::from_secs(1));
    let call = row.call;
    batch.rows.push(FloorRow::Call(Box::new(row)));
    house.store.floor().commit(batch).await.unwrap();
    call
}

/// A call that waits since a second after its start.
async fn waiting_call(house: &House, company: &Company, seq: u64) -> CallId {
    let Story { mut batch, mut row } = begin(company, seq, NOW);
    let (call, queue, entry) = (row.call, company.queue, fresh_id::<QueueEntryId>(NOW));
    let (at, event) = (NOW + Span::from_secs(1), Event::Queued { call, entry, queue, priority: 0 });
    let queued = Recorded { tenant: company.tenant, seq: seq * 100, at, config: 1, event };
    batch.events.push(queued);
    row.queue = Some(queue);
    row.waiting_since = Some(at);
    batch.rows.push(FloorRow::Call(Box::new(row)));
    house.store.floor().commit(batch).await.unwrap();
    call
}

/// Whether the call-back of a call was left alone.
pub(crate) async fn untouched(house: &House, call: &CallId) -> bool {
    let mut open = 0;
    for tenant in house.store.tenants().await.unwrap() {
        let db = house.store.system(tenant.id);
        let callbacks = db.callbacks(&CallbackFilter::default(), 100).await.unwrap();
        open += callbacks.iter().filter(|one| one.call == *call && one.done_at.is_none()).count();
    }
    open == 1
}

#[tokio::test]
async fn a_call_tells_its_story() {
    let house = House::open().await;
    let company = house.found("100").await;
    let call = recorded_call(&house, &company, 1).await;
    let session = &company.sessions["agent"];
    let detail = house.ask(session, Method::GET, &format!("/api/v1/calls/{call}")).await;
    assert_eq!(detail.status, StatusCode::OK, "{:?}", detail.json());
    let detail = detail.json();
    assert_eq!(detail["id"], call.to_string());
    assert_eq!(detail["started_at"], "2026-09-21T14:13:20.000000Z");
    assert_eq!(detail["caller"], "+302105550101");
    assert_eq!(detail["queue"], json!({"id": company.queue.to_string(), "name": "Support"}));
    assert_eq!(detail["disposition"], json!({"code": "done", "label": "Done"}));
    assert_eq!((&detail["talk_s"], &detail["live"]), (&json!(60.0), &json!(false)));
    assert_eq!(detail["note"], "Shipped.");
    assert_eq!(detail["facts"][0]["value"], "4711");
    assert_eq!(detail["flow"]["name"], "Main");
    let recording = &detail["recordings"][0];
    assert_eq!(recording["paused"][0]["start_at"], "2026-09-21T14:13:28.000000Z");
    let lanes = detail["ladder"]["lanes"].as_array().unwrap();
    let names: Vec<_> = lanes.iter().map(|lane| lane["lane"].as_str().unwrap()).collect();
    assert!(names.starts_with(&["customer"]) && names.contains(&"agent"), "{names:?}");
    let waiting = lanes.iter().find(|lane| lane["lane"] == "queue").unwrap();
    assert_eq!(waiting["segments"][0]["kind"], "waiting");
    assert_eq!(waiting["segments"][0]["label"], "Support");
    assert_eq!(waiting["segments"][0]["detail"], "answered");
}

#[tokio::test]
async fn a_note_is_kept_without_a_result() {
    let house = House::open().await;
    let company = house.found("100").await;
    let call = recorded_call(&house, &company, 1).await;
    let path = format!("/api/v1/calls/{call}");
    let put = async |who: &str, note: String| {
        let body = json!({"note": note});
        let place = format!("{path}/note");
        house.tell(&company.sessions[who], Method::PUT, &place, &body).await
    };
    let shown = async || {
        house.ask(&company.sessions["agent"], Method::GET, &path).await.json()["note"].clone()
    };
    assert_eq!(put("agent", "Call again.".into()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(shown().await, "Call again.");
    assert_eq!(put("supervisor", "Well done.".into()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(put("agent", "Called again.".into()).await.status, StatusCode::NO_CONTENT);
    let both = shown().await;
    let both = both.as_str().unwrap();
    assert!(both.contains("Called again.") && both.contains("Well done."), "{both}");
    let long = put("agent", "x".repeat(4_001)).await;
    assert_eq!((long.status.as_u16(), long.code().as_str()), (422, "too_long"));
    // The customer went on to somebody else: the first agent may still say what was said.
    let passed_on = recorded_call(&house, &company, 3).await;
    let mut row = house.store.system(company.tenant).call(passed_on).await.unwrap().row;
    row.agent = Some(AgentId::of_user(company.people["supervisor"]));
    let rows = vec![FloorRow::Call(Box::new(row))];
    let batch = FloorBatch { tenant: company.tenant, events: vec![], rows };
    house.store.floor().commit(batch).await.unwrap();
    let place = format!("/api/v1/calls/{passed_on}/note");
    let agent = &company.sessions["agent"];
    let first = house.tell(agent, Method::PUT, &place, &json!({"note": "Was told so."})).await;
    assert_eq!(first.status, StatusCode::NO_CONTENT, "{:?}", first.json());
    let nobodys = call_of_nobody(&house, &company, 2).await;
    let place = format!("/api/v1/calls/{nobodys}/note");
    let refused = house.tell(agent, Method::PUT, &place, &json!({"note": "Mine?"})).await;
    assert_eq!(refused.code(), "not_found");
}

#[tokio::test]
async fn the_list_is_paged_and_filtered() {
    let house = House::open().await;
    let company = house.found("100").await;
    let mut made = vec![recorded_call(&house, &company, 1).await];
    for seq in 2..=5 {
        made.push(call_of_nobody(&house, &company, seq).await);
    }
    let session = &company.sessions["supervisor"];
    let list = |query: String| {
        let house = &house;
        async move { house.ask(session, Method::GET, &format!("/api/v1/calls?{query}")).await }
    };
    let mut found = Vec::new();
    let mut query = "limit=2".to_owned();
    loop {
        let page = list(query).await.json();
        for item in page["items"].as_array().unwrap() {
            found.push(item["id"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("limit=2&cursor={cursor}");
    }
    let mut all: Vec<_> = made.iter().map(ToString::to_string).collect();
    all.sort();
    assert_eq!(found.last(), Some(&made[0].to_string()), "newest first");
    found.sort();
    assert_eq!(found, all);

    let one = |query: &str| list(query.to_owned());
    assert_eq!(one("outcome=handled").await.json()["items"].as_array().unwrap().len(), 1);
    assert_eq!(one("q=%2B302105550103").await.json()["items"].as_array().unwrap().len(), 1);
    let late = one("from=2026-09-21T14:13:21Z&until=2026-09-21T15:00:00Z").await.json();
    assert_eq!(late["items"].as_array().unwrap().len(), 4);
    for (bad, code) in [
        ("limit=0", "bad_limit"),
        ("limit=201", "bad_limit"),
        ("limit=1000000000000", "bad_value"),
        ("limit=x", "bad_value"),
        ("cursor=x", "bad_cursor"),
        ("outcome=won", "bad_value"),
        ("from=yesterday", "bad_time"),
        ("queue=7", "bad_id"),
        ("sort=-id", "unknown_field"),
    ] {
        let reply = one(bad).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, code), "{bad}");
    }
}

#[tokio::test]
async fn a_live_call_says_what_runs_and_since_when() {
    let house = House::open().await;
    let company = house.found("100").await;
    let over = recorded_call(&house, &company, 1).await;
    let waits = waiting_call(&house, &company, 20).await;
    let session = &company.sessions["supervisor"];
    let running = json!({"what": "waiting", "since": "2026-09-21T14:13:21.000000Z"});
    let list = house.ask(session, Method::GET, "/api/v1/calls").await.json();
    let row = |call: CallId| {
        let rows = list["items"].as_array().unwrap();
        rows.iter().find(|row| row["id"] == call.to_string()).unwrap().clone()
    };
    assert_eq!((&row(waits)["running"], &row(waits)["waited_s"]), (&running, &json!(0.0)));
    assert_eq!((&row(over)["running"], &row(over)["waited_s"]), (&json!(null), &json!(5.0)));
    let detail = house.ask(session, Method::GET, &format!("/api/v1/calls/{waits}")).await.json();
    assert_eq!(detail["running"], running);
}

#[tokio::test]
async fn a_recording_is_heard_in_parts() {
    let house = House::open().await;
    let company = house.found("100").await;
    let call = recorded_call(&house, &company, 1).await;
    let session = &company.sessions["agent"];
    let path = format!("/api/v1/calls/{call}/recordings/1");
    let all: Vec<u8> = (0..100).collect();
    let whole = house.ask(session, Method::GET, &path).await;
    assert_eq!((whole.status, &whole.bytes), (StatusCode::OK, &all));
    assert_eq!(whole.header("content-type"), "audio/wav");
    let ranged = |range: &'static str| {
        let request = request(session, Method::GET, &path).header("range", range);
        let house = &house;
        async move { house.send(request.body(Body::empty()).unwrap()).await }
    };
    let part = ranged("bytes=10-29").await;
    assert_eq!((part.status, part.bytes.as_slice()), (StatusCode::PARTIAL_CONTENT, &all[10..30]));
    assert_eq!(part.header("content-range"), "bytes 10-29/100");
    assert_eq!(part.header("content-length"), "20");
    let beyond = ranged("bytes=100-").await;
    assert_eq!((beyond.status.as_u16(), beyond.code().as_str()), (416, "bad_range"));
    assert_eq!(beyond.header("content-range"), "bytes */100");
    let waveform = house.ask(session, Method::GET, &format!("{path}/waveform")).await.json();
    assert_eq!(waveform["left"], json!([0.5, 0.5, 0.5]));
    for missing in ["2", "0", "x", "-1"] {
        let path = format!("/api/v1/calls/{call}/recordings/{missing}");
        assert_eq!(house.ask(session, Method::GET, &path).await.code(), "not_found", "{missing}");
    }
}

#[tokio::test]
async fn call_backs_are_paged_and_for_those_who_serve_the_queue() {
    let house = House::open().await;
    let company = house.found("100").await;
    let other: QueueId = fresh_id(NOW);
    let listed = |n: i64, queue| {
        let at = NOW + Span::from_secs(n / 2);
        let (call, party): (CallId, PartyId) = (fresh_id(at), fresh_id(at));
        (call, FloorRow::Callback { call, party, queue, waiting_since: at, listed_at: at })
    };
    let (calls, rows): (Vec<_>, Vec<_>) = (0..6).map(|n| listed(n, company.queue)).unzip();
    let (foreign, row) = listed(9, other);
    let rows = rows.into_iter().chain([row]).collect();
    let batch = FloorBatch { tenant: company.tenant, events: vec![], rows };
    house.store.floor().commit(batch).await.unwrap();
    let agent = &company.sessions["agent"];
    let done = async |call: &CallId| {
        let path = format!("/api/v1/callbacks/{call}/done");
        house.floor.pass(Span::from_secs(1));
        house.ask(agent, Method::POST, &path).await.status.as_u16()
    };
    // Two that waited equally long, and two done at different times.
    assert_eq!((done(&calls[0]).await, done(&calls[3]).await), (204, 204));
    assert_eq!(done(&foreign).await, 404, "of a queue that is not theirs");

    let walk = async |session: &str| {
        let (mut found, mut query) = (Vec::new(), "limit=2".to_owned());
        loop {
            let path = format!("/api/v1/callbacks?{query}");
            let page = house.ask(session, Method::GET, &path).await.json();
            for item in page["items"].as_array().unwrap() {
                found.push(item["call"].as_str().unwrap().to_owned());
            }
            let Some(cursor) = page["next_cursor"].as_str() else { break found };
            query = format!("limit=2&cursor={cursor}");
        }
    };
    let mut open = vec![calls[1], calls[2], calls[4], calls[5]];
    open.sort_by_key(|call| (calls.iter().position(|one| one == call).unwrap() / 2, *call));
    let texts = |calls: &[CallId]| calls.iter().map(ToString::to_string).collect::<Vec<_>>();
    let closed = [calls[3], calls[0]];
    assert_eq!(walk(agent).await, texts(&[&open[..], &closed[..]].concat()));
    open.push(foreign);
    let all = walk(&company.sessions["supervisor"]).await;
    assert_eq!(all, texts(&[&open[..], &closed[..]].concat()));
}
