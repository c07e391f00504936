//! What cells hand in comes back as it was, whole or not at all.

use model::effect::{Fact, FactKind};
use model::event::{AgentState, CallOutcome, OfferOutcome};
use model::sip::LegCause;
use model::{AgentId, CallId, Event, Recorded, RecordingId, Span};
use store::{
    CallFilter, CallPlace, FloorBatch, FloorRow, HouseKey, RecordingRow, Store, StoreError,
    fresh_id,
};

use crate::house::{self, NOW};

#[tokio::test]
async fn a_call_comes_back_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
    let house = house::found(&store, "100").await.unwrap();
    let db = store.system(house.tenant);
    let (call, mut first) = house::arrival(&house, 1, NOW, "+302105550142");
    let FloorRow::Call(row) = first.rows[1].clone() else { panic!("the second row is the call") };
    let fact = Fact {
        kind: FactKind::Typed,
        key: "order".into(),
        label: "Order number".into(),
        value: "4711".into(),
        secret: None,
    };
    first.rows.push(FloorRow::Fact { call, n: 0, fact: fact.clone(), at: NOW });
    store.floor().commit(first.clone()).await.unwrap();
    assert_eq!(db.unfinished_calls().await.unwrap(), [(*row).clone()]);
    assert_eq!(db.unfinished_calls().await.unwrap(), [(*row).clone()]);

    let mut ended = *row;
    ended.ended_at = Some(NOW + Span::from_secs(60));
    ended.outcome = Some(CallOutcome::Handled);
    ended.cause = Some(LegCause::FarHangup);
    ended.queue = Some(house.queue);
    ended.agent = Some(house.agent);
    ended.resolved = Some(true);
    ended.disposition = Some("done".into());
    ended.talk_us = 42_000_000;
    ended.finished = true;
    let recording = RecordingRow {
        recording: fresh_id::<RecordingId>(NOW),
        call,
        n: 1,
        legs: vec![fresh_id(NOW), fresh_id(NOW)],
        started_at: NOW,
        path: db.recording_place(call, 1, "2026-09-21"),
        length_ms: 42_000,
        complete: true,
        sha256: Some("00".repeat(32)),
    };
    let text = "Asked about an order.".to_owned();
    let event =
        Event::CallEnded { call, cause: LegCause::FarHangup, outcome: CallOutcome::Handled };
    let batch = FloorBatch {
        tenant: house.tenant,
        events: vec![house::recorded(house.tenant, 2, NOW, event)],
        rows: vec![
            FloorRow::Call(Box::new(ended.clone())),
            FloorRow::Note { call, agent: house.agent, text: text.clone(), at: NOW },
            FloorRow::Recording(recording.clone()),
            FloorRow::AgentIntent {
                agent: house.agent,
                intent: serde_json::json!({"ready": true}),
            },
        ],
    };
    store.floor().commit(batch.clone()).await.unwrap();

    let listed = db.call(call).await.unwrap();
    assert_eq!(listed.row, ended);
    assert_eq!(listed.number.as_deref(), Some("+302105550142"));
    assert_eq!(db.facts(call).await.unwrap(), [fact]);
    assert_eq!(db.notes(call).await.unwrap()[0].text, text);
    assert_eq!(db.recordings(call).await.unwrap(), std::slice::from_ref(&recording));
    assert!(store.recording_file(&recording).unwrap().starts_with(dir.path().join("recordings")));
    assert!(db.unfinished_calls().await.unwrap().is_empty());
    assert!(db.unfinished_calls().await.unwrap().is_empty());
    assert_eq!(db.agent_intents().await.unwrap()[0].1["ready"], true);
    let events = db.call_events(call).await.unwrap();
    assert_eq!(events, [first.events, batch.events].concat());
    assert_eq!(db.events(2, 10).await.unwrap().len(), 1);
    assert_eq!(db.last_seq().await.unwrap(), 2);
}

#[tokio::test]
async fn groups_of_every_size_come_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
    let house = house::found(&store, "100").await.unwrap();
    let mut seq = 1;
    let mut sent = Vec::new();
    // One batch beside each border of a statement, with as many calls as events.
    for calls in [1_usize, 2, 4, 5, 8, 9, 16, 17, 32, 33, 63, 64, 65, 129, 255, 256, 257, 600] {
        let mut whole = FloorBatch { tenant: house.tenant, events: Vec::new(), rows: Vec::new() };
        for _ in 0..calls {
            let (_, batch) = house::arrival(&house, seq, NOW, "+302105550142");
            seq += 1;
            whole.events.extend(batch.events);
            whole.rows.extend(batch.rows);
        }
        store.floor().commit(whole.clone()).await.unwrap();
        sent.extend(whole.events);
    }
    // Small ones share transactions.
    let mut answers = Vec::new();
    for _ in 0..200 {
        let (_, batch) = house::arrival(&house, seq, NOW, "+302105550142");
        seq += 1;
        sent.extend(batch.events.clone());
        answers.push(store.floor().commit(batch));
    }
    assert!(futures::future::join_all(answers).await.iter().all(Result::is_ok));

    let db = store.system(house.tenant);
    let mut kept = Vec::new();
    while let more @ [_, ..] = db.events(kept.len() as u64 + 1, 500).await.unwrap().as_slice() {
        kept.extend_from_slice(more);
    }
    assert!(kept == sent, "{} of {} events", kept.len(), sent.len());
    let mut calls: Vec<_> =
        db.unfinished_calls().await.unwrap().into_iter().map(|row| row.call).collect();
    let mut wanted: Vec<_> = sent.iter().filter_map(|recorded| recorded.event.call()).collect();
    calls.sort();
    wanted.sort();
    assert!(calls == wanted, "{} of {} calls", calls.len(), wanted.len());
}

/// The calls that left an agent since a time come whole, and no others.
#[tokio::test]
async fn the_contacts_of_an_agent() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
    let house = house::found(&store, "100").await.unwrap();
    let other: AgentId = fresh_id(NOW);
    let calls: [CallId; 6] = std::array::from_fn(|_| fresh_id(NOW));
    let [talked, missed, declined, lost, taken, early] = calls;
    let parted = |call, agent| Event::Disconnected {
        call,
        queue: house.queue,
        agent,
        leg: fresh_id(NOW),
        cause: LegCause::Hangup,
    };
    let offered = |call, outcome| Event::OfferEnded {
        call,
        offer: fresh_id(NOW),
        agent: house.agent,
        outcome,
        reason: None,
    };
    let mut events = vec![(NOW - Span::from_secs(1), parted(early, house.agent))];
    events.extend(calls.map(|call| (NOW, Event::CallAnswered { call })));
    let later = [
        offered(missed, OfferOutcome::NoAnswer),
        offered(declined, OfferOutcome::Declined),
        offered(lost, OfferOutcome::DeviceLost),
        offered(talked, OfferOutcome::Accepted),
        parted(talked, house.agent),
        parted(taken, other),
    ];
    events.extend(later.map(|event| (NOW, event)));
    let number = |(n, (at, event))| house::recorded(house.tenant, n as u64 + 1, at, event);
    let events: Vec<_> = events.into_iter().enumerate().map(number).collect();
    let rows = Vec::new();
    let batch = FloorBatch { tenant: house.tenant, events: events.clone(), rows };
    store.floor().commit(batch).await.unwrap();

    let db = store.system(house.tenant);
    let of = |wanted: &[CallId]| -> Vec<_> {
        let is_of = |recorded: &&Recorded| wanted.contains(&recorded.event.call().unwrap());
        events.iter().filter(is_of).cloned().collect()
    };
    let mine = db.events_of_contacts(house.agent, NOW).await.unwrap();
    assert_eq!(mine, of(&[talked, missed, declined]));
    assert_eq!(db.events_of_contacts(other, NOW).await.unwrap(), of(&[taken]));
    let all_day = db.events_of_contacts(house.agent, NOW - Span::from_secs(1)).await.unwrap();
    assert_eq!(all_day, of(&[talked, missed, declined, early]));
    store.close().await;
}

#[tokio::test]
async fn one_bad_batch_costs_the_others_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
    let house = house::found(&store, "100").await.unwrap();
    let floor = store.floor();
    let state = |seq| {
        let agent = house.agent;
        let event = Event::AgentState { agent, state: AgentState::Ready, reason: None };
        let events = vec![house::recorded(house.tenant, seq, NOW, event)];
        FloorBatch { tenant: house.tenant, events, rows: vec![] }
    };
    let mut stranger = state(9);
    stranger.tenant = fresh_id(NOW);
    assert!(matches!(floor.commit(stranger).await, Err(StoreError::Damaged { .. })));

    // All four are in the lane before the first is written, so they share a transaction.
    let sent = [1, 2, 2, 3].map(|seq| floor.commit(state(seq)));
    let kept = futures::future::join_all(sent).await;
    assert!(kept[0].is_ok() && kept[1].is_ok() && kept[3].is_ok(), "{kept:?}");
    assert!(matches!(kept[2], Err(StoreError::Conflict { .. })), "{kept:?}");
    let db = store.system(house.tenant);
    assert_eq!(db.events(1, 10).await.unwrap().len(), 3);
    assert_eq!(store.figures().events, 3);
    store.close().await;
    assert!(matches!(floor.commit(state(4)).await, Err(StoreError::Closed)));
}

#[tokio::test]
async fn a_batch_of_many_statements_is_kept_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
    let house = house::found(&store, "100").await.unwrap();
    let mut whole = FloorBatch { tenant: house.tenant, events: Vec::new(), rows: Vec::new() };
    for seq in 1..=600 {
        let (_, batch) = house::arrival(&house, seq, NOW, "+302105550142");
        whole.events.extend(batch.events);
        whole.rows.extend(batch.rows);
    }
    let mut spoilt = whole.clone();
    spoilt.events[599].seq = 1;
    let answer = store.floor().commit(spoilt).await;
    assert!(matches!(answer, Err(StoreError::Conflict { .. })), "{answer:?}");
    let db = store.system(house.tenant);
    assert!(
        db.events(1, 1).await.unwrap().is_empty()
            && db.unfinished_calls().await.unwrap().is_empty()
    );
    store.floor().commit(whole).await.unwrap();
    assert_eq!(db.events(1, 1_000).await.unwrap().len(), 600);
}

#[tokio::test]
async fn the_list_is_filtered_and_paged() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
    let house = house::found(&store, "100").await.unwrap();
    let db = store.system(house.tenant);
    let mut made = Vec::new();
    for n in 0..5_i64 {
        // Pairs share a start, so that the id decides.
        let at = NOW + Span::from_secs(n / 2);
        let number = if n % 2 == 0 { "+30210" } else { "+370" };
        let (call, batch) = house::arrival(&house, n as u64 + 1, at, &format!("{number}{n}"));
        store.floor().commit(batch).await.unwrap();
        made.push(call);
    }
    let mut pages = Vec::new();
    let mut filter = CallFilter::default();
    loop {
        let page = db.calls(&filter, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.after = Some(CallPlace { started_at: last.row.started_at, call: last.row.call });
        pages.extend(page.into_iter().map(|listed| listed.row.call));
    }
    let mut sorted = pages.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!((pages.len(), sorted.len(), pages[0]), (5, 5, made[4]));

    let greek = CallFilter { caller_prefix: Some("+30".into()), ..CallFilter::default() };
    assert_eq!(db.calls(&greek, 10).await.unwrap().len(), 3);
    let late = CallFilter { from: Some(NOW + Span::from_secs(2)), ..CallFilter::default() };
    assert_eq!(db.calls(&late, 10).await.unwrap().len(), 1);
    let handled = CallFilter { outcome: Some(CallOutcome::Handled), ..CallFilter::default() };
    assert!(db.calls(&handled, 10).await.unwrap().is_empty());
}
