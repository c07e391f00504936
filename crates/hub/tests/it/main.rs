//! The hub with a real record and a real cell, between a SIP and a media plane played by the test.

mod house;
mod legs;
mod secret;
mod twins;

use std::time::Duration;

use house::{BUILD, House};
use model::event::{CallOutcome, Event, QueueOutcome};
use model::input::Command;
use model::media::{Hears, MediaCommand, MediaEvent};
use model::refusal::Refusal;
use model::sip::{LegCause, SipCommand, SipEvent};
use model::view::AgentView;

#[tokio::test]
async fn a_customer_rings_waits_is_answered_and_everything_is_kept() {
    let mut house = House::start().await;
    house.agent_ready().await;
    let leg = house.ring("100").await;
    let view = house.agent_until(|view| view.offer.is_some()).await;
    let offer = view.offer.expect("asked for");
    let caller = offer.contact.caller.as_ref().map(model::DialString::as_str);
    assert_eq!(caller, Some("+302105550142"));
    house.command(Command::Accept { offer: offer.offer }).await.expect("accepted");
    let call = offer.contact.call;
    let agent_leg = house.agent_leg;
    house
        .media_until(|command| match command {
            MediaCommand::Graph { graph, .. } => {
                graph.hears.get(&leg) == Some(&Hears::Legs(vec![agent_leg]))
                    && graph.hears.get(&agent_leg) == Some(&Hears::Legs(vec![leg]))
            }
            _ => false,
        })
        .await;
    house.sip_event(SipEvent::Ended { leg, cause: LegCause::FarHangup, status: None }).await;
    house.agent_until(|view| view.wrap_up.is_some()).await;
    let wrap_up = |note: &str| Command::WrapUp {
        call,
        disposition: "answered".to_owned(),
        resolved: true,
        note: note.to_owned(),
    };
    let unknown = Command::WrapUp {
        call,
        disposition: "no such".to_owned(),
        resolved: true,
        note: String::new(),
    };
    assert_eq!(house.command(unknown).await, Err(Refusal::UnknownChoice));
    house.command(wrap_up("Asked for the date.")).await.expect("wrapped up");
    let row = house.row_until(call, |row| row.disposition.is_some()).await;
    assert_eq!(row.outcome, Some(CallOutcome::Handled));
    assert_eq!(row.resolved, Some(true));
    assert!(row.ended_at.is_some());
    let events = house.db().call_events(call).await.expect("events");
    let answered = events.iter().any(|recorded| {
        matches!(recorded.event, Event::QueueLeft { outcome: QueueOutcome::Answered, .. })
    });
    assert!(answered);
    assert!(house.db().unfinished_calls().await.expect("readable").is_empty());
    let notes = house.db().notes(call).await.expect("notes");
    assert_eq!(notes.first().map(|note| note.text.as_str()), Some("Asked for the date."));
    house.stop().await;
}

#[tokio::test]
async fn an_unknown_number_is_refused() {
    let mut house = House::start().await;
    let leg = house.incoming("999").await;
    house
        .sip_until(|command| match command {
            SipCommand::Reject { leg: refused, status, .. } => *refused == leg && *status == 404,
            _ => false,
        })
        .await;
    house.stop().await;
}

#[tokio::test]
async fn a_replay_finds_no_difference_and_names_a_changed_decision() {
    let mut house = House::start().await;
    house.agents_ready_in_order().await;
    let leg = house.ring("100").await;
    let offered = house.anyone_offered().await;
    house.sip_event(SipEvent::Ended { leg, cause: LegCause::FarHangup, status: None }).await;
    house.view_until(offered, |view| view.offer.is_none()).await;
    let (segments, key, dir) = house.stop_and_read_flight().await;
    let same = hub::replay(&segments[0], &key, BUILD, |_| {}).expect("readable");
    assert!(same.difference.is_none(), "{:?}", same.difference);
    assert_eq!((same.build.as_str(), same.replayed_by.as_str()), (BUILD, BUILD));
    assert!(5 < same.inputs && 5 < same.decisions, "{same:?}");
    #[cfg(feature = "mutations")]
    {
        let change = |cell: &mut floor::Cell| cell.mutate(floor::Mutation::WrongTieBreak);
        let changed = hub::replay(&segments[0], &key, "another", change).expect("readable");
        let difference = changed.difference.expect("another agent is chosen");
        let offered = |output: &Option<model::Output>| match output {
            Some(model::Output::Event(recorded)) => match recorded.event {
                Event::Offered { agent, .. } => Some(agent),
                _ => None,
            },
            _ => None,
        };
        let (then, now) = (offered(&difference.then), offered(&difference.now));
        let named = then.is_some() && now.is_some() && then != now;
        assert!(named, "the first that differs is to whom the call is offered: {difference:?}");
    }
    drop(dir);
}

#[tokio::test]
async fn after_a_crash_the_waiting_are_on_the_list_and_every_call_is_closed() {
    let mut house = House::start().await;
    let leg = house.ring("100").await;
    let call = house.waiting_call(leg).await;
    let mut house = house.crash_and_start().await;
    let row = house.row_until(call, |row| row.ended_at.is_some()).await;
    assert_eq!(row.outcome, Some(CallOutcome::Failed));
    assert_eq!(row.cause, Some(LegCause::NodeFailure));
    assert!(house.db().unfinished_calls().await.expect("readable").is_empty());
    let callbacks =
        house.db().callbacks(&store::CallbackFilter::default(), 100).await.expect("callbacks");
    assert_eq!(callbacks.iter().map(|item| item.call).collect::<Vec<_>>(), [call]);
    let events = house.db().events(1, 10_000).await.expect("events");
    let seqs: Vec<u64> = events.iter().map(|recorded| recorded.seq).collect();
    let expected: Vec<u64> = (1..=u64::try_from(seqs.len()).expect("fits")).collect();
    assert_eq!(seqs, expected, "the journal goes on without a gap");
    // The house takes calls again.
    house.ring("100").await;
    house.stop().await;
}

/// A conversation may go on for an hour without an event: what was heard of it counts.
#[tokio::test]
async fn after_a_crash_a_call_lasts_as_long_as_anything_was_recorded() {
    let mut house = House::start().await;
    let leg = house.ring("100").await;
    let call = house.waiting_call(leg).await;
    let events = house.db().events(1, 10_000).await.expect("events");
    let last = events.iter().map(|recorded| recorded.at).max();
    let recording = house.recording_since(1, last.expect("an event")).await;
    let minute = vec![0; 1_000_000];
    let house = house.crash_and_start_with(&recording.path, &minute).await;
    let row = house.row_until(call, |row| row.ended_at.is_some()).await;
    assert!(row.ended_at > last, "{:?} is not after {last:?}", row.ended_at);
    house.stop().await;
}

#[tokio::test]
async fn an_agent_who_was_ready_is_ready_again_after_a_restart() {
    let mut house = House::start().await;
    house.agent_ready().await;
    house
        .kept(|event| {
            matches!(event, Event::AgentState { state: model::event::AgentState::Ready, .. })
        })
        .await;
    house.kept(|event| matches!(event, Event::DeviceUp { .. })).await;
    let gone_leg = house.agent_leg;
    let mut house = house.crash_and_start().await;
    house.kept(|event| matches!(event, Event::DeviceDown { leg, .. } if *leg == gone_leg)).await;
    assert!(house.db().devices_up().await.expect("readable").is_empty());
    let ready_again = |view: &AgentView| view.state == model::event::AgentState::NoDevice;
    house.agent_until(ready_again).await;
    house.browser_up().await;
    house.agent_until(|view| view.state == model::event::AgentState::Ready).await;
    house.stop().await;
}

#[tokio::test]
async fn recordings_of_which_nothing_is_left_are_closed_once_for_all() {
    let house = House::start().await;
    let [gone, garbage] = [house.cut_off_recording(1).await, house.cut_off_recording(2).await];
    assert_eq!(house.db().open_recordings().await.expect("readable").len(), 2);
    let house = house.crash_and_start_with(&garbage.path, b"no recording").await;
    house.no_recording_open().await;
    let rows = house.db().recordings(gone.call).await.expect("readable");
    for row in rows {
        assert_eq!((row.length_ms, row.complete, row.sha256.as_deref()), (0, false, Some("")));
    }
    house.stop().await;
}

#[tokio::test]
async fn clips_are_held_while_a_configuration_names_them() {
    let mut house = House::start().await;
    let clip = house.name_prompt("calm", Some(&[7; 320])).await;
    // The media plane has the music before any call can wish for it.
    let loaded = house.media_until(|command| matches!(command, MediaCommand::Clip { .. })).await;
    assert!(matches!(loaded, MediaCommand::Clip { clip: loaded, .. } if loaded == clip));
    let leg = house.ring("100").await;
    let music = |command: &MediaCommand| match command {
        MediaCommand::Graph { graph, .. } => graph.hears.get(&leg) == Some(&Hears::Music(clip)),
        _ => false,
    };
    house.media_until(music).await;
    let other = house.name_prompt("calm", Some(&[8; 320])).await;
    house.media_until(|c| matches!(c, MediaCommand::Clip { clip, .. } if *clip == other)).await;
    house
        .media_until(|c| matches!(c, MediaCommand::ClipGone { clip: gone } if *gone == clip))
        .await;
    house.name_prompt("calm", None).await;
    house.media_until(|c| matches!(c, MediaCommand::ClipGone { clip } if *clip == other)).await;
    house.stop().await;
}

#[tokio::test]
async fn a_fault_of_the_switchboard_ends_the_call_that_it_is_about_and_no_other() {
    let mut house = House::start().await;
    let good = house.ring("200").await;
    house.kept(|event| matches!(event, Event::NodeEntered { node, .. } if node == "menu")).await;
    // The refusal of a number that nobody has is a fault; what replaces it is not.
    house.fail_once();
    let leg = house.incoming("999").await;
    let refused = |command: &SipCommand| {
        matches!(command,
        SipCommand::Reject { leg: of, status: 500, .. } if *of == leg)
    };
    house.sip_until(refused).await;
    // The answer to a call that the cell has taken is one.
    let bad = house.incoming("200").await;
    house.media_until(|command| matches!(command, MediaCommand::Prepare { .. })).await;
    house.fail_once();
    house.media_event(MediaEvent::Prepared { leg: bad, local: house::desc() }).await;
    let ended = |command: &SipCommand| {
        matches!(command,
        SipCommand::Hangup { leg: of, cause: LegCause::InternalError } if *of == bad)
    };
    house.sip_until(ended).await;
    house
        .kept(|event| matches!(event, Event::CallEnded { outcome: CallOutcome::Failed, .. }))
        .await;
    assert_eq!(house.caught(), (2, None));
    // The first call goes on, and new ones are taken.
    house.media_event(MediaEvent::Digit { leg: good, digit: '2' }).await;
    house.waiting_call(good).await;
    house.ring("200").await;
    house.stop().await;
}

#[tokio::test]
async fn a_fault_of_the_switchboard_is_noticed_and_the_cells_still_save() {
    let mut house = House::start().await;
    house.agent_ready().await;
    assert_eq!(house.fail_switchboard().await, "switchboard");
    tokio::time::timeout(Duration::from_secs(5), house.stop()).await.expect("stops in time");
}

#[tokio::test]
async fn keys_reach_the_flow_and_the_fact_is_kept() {
    let mut house = House::start().await;
    let leg = house.ring("200").await;
    house.kept(|event| matches!(event, Event::NodeEntered { node, .. } if node == "menu")).await;
    house.media_event(MediaEvent::Digit { leg, digit: '2' }).await;
    let call = house.waiting_call(leg).await;
    let facts = house.facts_until(call, 1).await;
    assert_eq!(facts[0].label, "Support");
    assert_eq!(facts[0].value, "2");
    tokio::time::timeout(Duration::from_secs(5), house.stop()).await.expect("stops in time");
}
