//! Whole calls against real sipp, on one worker as in the house: sipp wants ACK before BYE, and
//! datagrams that leave from two cores may change places.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::LegId;
use model::sip::{Caller, LegCause, SipCommand, SipEvent};
use sip::start;

use crate::support::{
    Sipp, answering, callee, config, desc, free_port, have_sipp, leg_id, next, until, until_idle,
};

/// The events of each leg, in order.
fn by_leg(events: &[SipEvent]) -> BTreeMap<LegId, Vec<&SipEvent>> {
    let mut legs: BTreeMap<LegId, Vec<&SipEvent>> = BTreeMap::new();
    for event in events {
        if let Some(leg) = event.leg() {
            legs.entry(leg).or_default().push(event);
        }
    }
    legs
}

fn assert_ended_once_and_last(events: &[SipEvent], legs: usize, wanted: LegCause) {
    let by_leg = by_leg(events);
    assert_eq!(by_leg.len(), legs);
    for events in by_leg.values() {
        let ends = events.iter().filter(|e| matches!(e, SipEvent::Ended { .. })).count();
        assert_eq!(ends, 1, "{events:?}");
        assert!(
            matches!(events.last(), Some(SipEvent::Ended { cause, .. }) if *cause == wanted),
            "{events:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hundred_calls_that_the_caller_ends() {
    hundred_calls("u1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_same_over_one_connection() {
    hundred_calls("t1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_same_over_a_connection_for_each() {
    hundred_calls("tn").await;
}

/// Over what sipp calls a transport.
async fn hundred_calls(transport: &str) {
    if !have_sipp() {
        return;
    }
    let (plane, events) = start(config()).unwrap();
    let plane = Arc::new(plane);
    let peer = plane.local_addr().to_string();
    let hub = answering(Arc::clone(&plane), events, |_, _| {});
    let sipp = Sipp::start(
        "sipp/uac_call.xml",
        &[
            &peer,
            "-s",
            "100",
            "-m",
            "100",
            "-r",
            "50",
            "-d",
            "50",
            "-t",
            transport,
            "-max_socket",
            "500",
        ],
    );
    sipp.finish().await.assert_clean(100);
    until_idle(&plane).await;
    let counters = plane.counters();
    assert_eq!(counters.retransmissions_out, 0, "{counters:?}");
    drop(plane);
    hub.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hundred_calls_that_we_end() {
    if !have_sipp() {
        return;
    }
    let (plane, mut events) = start(config()).unwrap();
    let peer = plane.local_addr().to_string();
    let sipp = Sipp::start("sipp/uac_wait_bye.xml", &[&peer, "-s", "100", "-m", "100", "-r", "50"]);
    let mut seen = Vec::new();
    while seen.iter().filter(|e| matches!(e, SipEvent::Ended { .. })).count() < 100 {
        let event = next(&mut events).await;
        match &event {
            SipEvent::Incoming { leg, .. } => {
                plane.send(SipCommand::Answer { leg: *leg, local: desc(9000) }).unwrap();
            }
            SipEvent::Confirmed { leg, .. } => {
                plane.send(SipCommand::Hangup { leg: *leg, cause: LegCause::Hangup }).unwrap();
            }
            _ => {}
        }
        seen.push(event);
    }
    sipp.finish().await.assert_clean(100);
    assert_ended_once_and_last(&seen, 100, LegCause::Hangup);
    until_idle(&plane).await;
    assert_eq!(plane.counters().retransmissions_out, 0);
    plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn outgoing_calls_ended_by_either_side() {
    if !have_sipp() {
        return;
    }
    for (scenario, cause) in
        [("sipp/uas_answer.xml", LegCause::Hangup), ("sipp/uas_agent.xml", LegCause::FarHangup)]
    {
        let (plane, mut events) = start(config()).unwrap();
        let port = free_port();
        let port_text = port.to_string();
        let sipp = Sipp::start(scenario, &["-p", &port_text, "-m", "50", "-d", "50"]);
        let address = format!("127.0.0.1:{port}").parse().unwrap();
        until("sipp listens", || std::net::UdpSocket::bind(("127.0.0.1", port)).is_err()).await;
        let dial = || {
            let leg = leg_id();
            let caller =
                Caller { number: "+302105550142".parse().ok(), name: Some("A \"B\"".into()) };
            plane
                .send(SipCommand::Dial { leg, callee: callee(address), caller, local: desc(9000) })
                .unwrap();
        };
        // Ten at a time: what sipp's socket holds unread is bounded, and lost ACKs are no theme
        // here.
        let (mut dialled, mut ended) = (10, 0);
        (0..dialled).for_each(|_| dial());
        let mut seen = Vec::new();
        while ended < 50 {
            let event = next(&mut events).await;
            match &event {
                SipEvent::Answered { leg, remote, .. } => {
                    assert_eq!(remote.dtmf, Some(101));
                    if cause == LegCause::Hangup {
                        plane.send(SipCommand::Hangup { leg: *leg, cause }).unwrap();
                    }
                }
                SipEvent::Ended { .. } => {
                    ended += 1;
                    if dialled < 50 {
                        dial();
                        dialled += 1;
                    }
                }
                _ => {}
            }
            seen.push(event);
        }
        sipp.finish().await.assert_clean(50);
        assert_ended_once_and_last(&seen, 50, cause);
        until_idle(&plane).await;
        plane.shutdown().await;
    }
}
