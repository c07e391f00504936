//! What happens inside a dialog: re-INVITE, UPDATE, INFO, order of requests.

use model::LegId;
use model::media::Direction;
use model::sip::{LegCause, SipCommand, SipEvent};
use sip::{SipHandle, start};
use tokio::sync::mpsc::Receiver;

use crate::peer::{Call, Peer, SDP};
use crate::support::{desc, next, quick, until_idle};

const DESCRIBED: &str = "Content-Type: application/sdp\r\n";

/// A call of this peer that stands, its leg, and the description the plane answered with.
pub(crate) async fn up<'a>(
    peer: &'a Peer,
    plane: &SipHandle,
    events: &mut Receiver<SipEvent>,
    id: &str,
) -> (Call<'a>, LegId, String) {
    let mut call = peer.call(id);
    call.invite(1, "1", SDP).await;
    let SipEvent::Incoming { leg, .. } = next(events).await else { panic!("no call") };
    plane.send(SipCommand::Answer { leg, local: desc(9000) }).unwrap();
    let ok = peer.status(200).await;
    call.adopt(&ok);
    call.ack(1, "2", "").await;
    assert_eq!(next(events).await, SipEvent::Confirmed { leg, remote: None });
    (call, leg, ok.body().to_owned())
}

async fn finish(call: &Call<'_>, cseq: u32, plane: SipHandle) {
    call.send("BYE", cseq, "bye", "", "").await;
    call.peer.status(200).await;
    until_idle(&plane).await;
    plane.shutdown().await;
}

fn version(sdp: &str) -> u64 {
    sdp.lines().find(|l| l.starts_with("o=")).unwrap().split(' ').nth(2).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_reinvite_is_offered_and_answered() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let (call, leg, first) = up(&peer, &plane, &mut events, "reinvite").await;
    let hold = format!("{SDP}a=sendonly\r\n");
    call.invite(2, "3", &hold).await;
    let SipEvent::Reoffered { offer: Some(offer), source, .. } = next(&mut events).await else {
        panic!("no offer")
    };
    assert_eq!(source, peer.address);
    assert_eq!(offer.direction, Direction::SendOnly);
    let mut local = desc(9000);
    local.direction = Direction::RecvOnly;
    plane.send(SipCommand::Reanswer { leg, change: 2, local }).unwrap();
    assert_eq!(next(&mut events).await, SipEvent::ChangeEnded { leg, change: 2, taken: true });
    let ok = peer.status(200).await;
    assert!(ok.body().contains("a=recvonly"), "{}", ok.0);
    assert_eq!(version(ok.body()), version(&first) + 1);
    call.ack(2, "4", "").await;
    // The same again is a refresh: answered at once, nothing grows, the hub hears nothing.
    call.invite(3, "5", &hold).await;
    let again = peer.status(200).await;
    assert_eq!(again.body(), ok.body());
    call.ack(3, "6", "").await;
    call.send("UPDATE", 4, "7", DESCRIBED, &hold).await;
    assert_eq!(peer.status(200).await.body(), ok.body());
    call.send("UPDATE", 5, "8", "", "").await;
    assert_eq!(peer.status(200).await.body(), "");
    assert!(events.try_recv().is_err());
    finish(&call, 6, plane).await;
}

#[tokio::test]
async fn an_update_and_a_reinvite_without_offer() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let (call, leg, _) = up(&peer, &plane, &mut events, "update").await;
    let moved = SDP.replace("6000", "6002");
    call.send("UPDATE", 2, "3", DESCRIBED, &moved).await;
    assert!(matches!(next(&mut events).await, SipEvent::Reoffered { offer: Some(_), .. }));
    plane.send(SipCommand::Reanswer { leg, change: 2, local: desc(9002) }).unwrap();
    assert_eq!(next(&mut events).await, SipEvent::ChangeEnded { leg, change: 2, taken: true });
    assert!(peer.status(200).await.body().contains("m=audio 9002"));
    call.invite(3, "4", "").await;
    assert!(matches!(next(&mut events).await, SipEvent::Reoffered { offer: None, .. }));
    plane.send(SipCommand::Reanswer { leg, change: 3, local: desc(9004) }).unwrap();
    assert_eq!(next(&mut events).await, SipEvent::ChangeEnded { leg, change: 3, taken: true });
    assert!(peer.status(200).await.body().contains("m=audio 9004"));
    call.ack(3, "5", SDP).await;
    let SipEvent::Confirmed { remote: Some(remote), .. } = next(&mut events).await else {
        panic!("no answer in the ACK")
    };
    assert_eq!(remote.port, 6000);
    finish(&call, 4, plane).await;
}

#[tokio::test]
async fn our_offer_in_a_session_keeps_its_media_lines() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let (call, leg, _) = up(&peer, &plane, &mut events, "shape").await;
    let video = format!("{SDP}m=video 6100 RTP/AVP 31\r\n");
    call.send("UPDATE", 2, "3", DESCRIBED, &video).await;
    next(&mut events).await;
    plane.send(SipCommand::Reanswer { leg, change: 2, local: desc(9000) }).unwrap();
    peer.status(200).await;
    call.invite(3, "4", "").await;
    assert!(matches!(next(&mut events).await, SipEvent::ChangeEnded { change: 2, .. }));
    assert!(matches!(next(&mut events).await, SipEvent::Reoffered { change: 3, .. }));
    plane.send(SipCommand::Reanswer { leg, change: 3, local: desc(9000) }).unwrap();
    let ok = peer.status(200).await;
    let lines: Vec<&str> = ok.body().lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(lines, ["m=audio 9000 RTP/AVP 0 101", "m=video 0 RTP/AVP 31"]);
    call.ack(3, "5", &video).await;
    finish(&call, 4, plane).await;
}

#[tokio::test]
async fn overlapping_changes_and_old_requests_are_refused() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let (call, leg, _) = up(&peer, &plane, &mut events, "overlap").await;
    let moved = SDP.replace("6000", "6002");
    call.invite(5, "3", &moved).await;
    next(&mut events).await;
    call.send("UPDATE", 6, "4", DESCRIBED, SDP).await;
    let refusal = peer.status(500).await;
    assert_ne!(refusal.header("Retry-After"), "");
    plane.send(SipCommand::Reanswer { leg, change: 5, local: desc(9000) }).unwrap();
    peer.status(200).await;
    call.ack(5, "5", "").await;
    call.send("INFO", 4, "6", "", "").await;
    assert_eq!(peer.status(500).await.header("CSeq"), "4 INFO");
    call.send("INFO", 6, "7", "", "").await;
    peer.status(482).await;
    finish(&call, 7, plane).await;
}

#[tokio::test]
async fn a_change_that_nobody_answers_leaves_the_session_alone() {
    let mut config = quick();
    config.reanswer_timeout = std::time::Duration::from_millis(100);
    let (plane, mut events) = start(config).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let (call, leg, _) = up(&peer, &plane, &mut events, "stuck").await;
    call.send("UPDATE", 2, "3", DESCRIBED, &SDP.replace("6000", "6002")).await;
    peer.status(500).await;
    next(&mut events).await;
    assert_eq!(next(&mut events).await, SipEvent::ChangeEnded { leg, change: 2, taken: false });
    call.invite(3, "4", &SDP.replace("6000", "6004")).await;
    next(&mut events).await;
    // The answer to the first change comes while the second one waits.
    plane.send(SipCommand::Reanswer { leg, change: 2, local: desc(9002) }).unwrap();
    peer.status(500).await;
    call.ack(3, "4", "").await;
    assert_eq!(next(&mut events).await, SipEvent::ChangeEnded { leg, change: 3, taken: false });
    call.invite(4, "5", SDP).await;
    peer.status(200).await;
    call.ack(4, "6", "").await;
    finish(&call, 5, plane).await;
}

#[tokio::test]
async fn a_cancelled_reinvite_leaves_the_call_alone() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let (call, leg, _) = up(&peer, &plane, &mut events, "recancel").await;
    call.invite(2, "3", &SDP.replace("6000", "6002")).await;
    next(&mut events).await;
    call.send("CANCEL", 2, "3", "", "").await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let status = peer.hear().await.status().unwrap();
        if status >= 200 {
            seen.push(status);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, [200, 487]);
    call.ack(2, "3", "").await;
    assert_eq!(next(&mut events).await, SipEvent::ChangeEnded { leg, change: 2, taken: false });
    assert!(events.try_recv().is_err());
    finish(&call, 3, plane).await;
}

#[tokio::test]
async fn keys_by_info() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let (call, leg, _) = up(&peer, &plane, &mut events, "info").await;
    let relay = "Content-Type: application/dtmf-relay\r\n";
    call.send("INFO", 2, "3", relay, "Signal=5\r\nDuration=160\r\n").await;
    peer.status(200).await;
    assert_eq!(next(&mut events).await, SipEvent::Digit { leg, digit: '5' });
    call.send("INFO", 3, "4", "Content-Type: application/dtmf\r\n", "#").await;
    peer.status(200).await;
    assert_eq!(next(&mut events).await, SipEvent::Digit { leg, digit: '#' });
    call.send("INFO", 4, "5", relay, "Signal=xyz\r\n").await;
    peer.status(400).await;
    call.send("INFO", 5, "6", "Content-Type: text/plain\r\n", "hello").await;
    assert_ne!(peer.status(415).await.header("Accept"), "");
    for n in 0..40 {
        call.send("INFO", 6 + n, &format!("many{n}"), relay, "Signal=1\r\n").await;
        peer.status(200).await;
    }
    assert!(plane.counters().refused["digits"] > 0);
    finish(&call, 100, plane).await;
}

#[tokio::test]
async fn methods_that_are_not_for_us() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let (call, _, _) = up(&peer, &plane, &mut events, "methods").await;
    for (method, status) in
        [("MESSAGE", 405), ("NOTIFY", 405), ("PRACK", 405), ("OPTIONS", 200), ("FROB", 501)]
    {
        call.send(method, 2, method, "", "").await;
        let reply = peer.status(status).await;
        assert!(reply.header("Allow").contains("INVITE"), "{}", reply.0);
    }
    let kinds = "Content-Type: text/plain\r\n";
    call.send("INVITE", 3, "415", kinds, "x").await;
    peer.status(415).await;
    call.ack(3, "415", "").await;
    call.send("INVITE", 4, "488", DESCRIBED, &SDP.replace("RTP/AVP 0 101", "RTP/AVP 18")).await;
    peer.status(488).await;
    call.ack(4, "488", "").await;
    finish(&call, 5, plane).await;
}

#[tokio::test]
async fn unknown_dialogs_do_not_exist() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let (mut call, _, _) = up(&peer, &plane, &mut events, "known").await;
    let mut stranger = peer.call("unknown");
    for tag in ["", "forged", call.to_tag.as_str()] {
        stranger.to_tag = tag.to_owned();
        for method in ["BYE", "INFO", "UPDATE"] {
            stranger.send(method, 9, &format!("{method}{}", tag.len()), "", "").await;
            assert_eq!(peer.status(481).await.header("CSeq"), format!("9 {method}"));
        }
    }
    stranger.to_tag.clear();
    stranger.send("CANCEL", 1, "nothing", "", "").await;
    peer.status(481).await;
    stranger.ack(1, "stray", "").await;
    // A wrong far tag is another dialog.
    let text = call.text("BYE", 2, "thief", "", "").replace("tag=a1", "tag=b2");
    peer.send(&text).await;
    peer.status(481).await;
    assert!(events.try_recv().is_err());
    call.send("BYE", 2, "3", "", "").await;
    peer.status(200).await;
    assert!(matches!(next(&mut events).await, SipEvent::Ended { cause: LegCause::FarHangup, .. }));
    call.send("BYE", 3, "4", "", "").await;
    peer.status(481).await;
    call.to_tag.clear();
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn an_open_change_is_answered_when_the_far_side_leaves() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    for method in ["UPDATE", "INVITE"] {
        let (call, _, _) = up(&peer, &plane, &mut events, method).await;
        call.send(method, 2, "3", DESCRIBED, &SDP.replace("6000", "6002")).await;
        assert!(matches!(next(&mut events).await, SipEvent::Reoffered { .. }));
        call.send("BYE", 3, "4", "", "").await;
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let reply = peer.hear().await;
            match reply.status() {
                Some(100) => {}
                status => seen.push((reply.header("CSeq"), status)),
            }
        }
        seen.sort();
        let expected = [(format!("2 {method}"), Some(487)), ("3 BYE".to_owned(), Some(200))];
        assert_eq!(seen, expected);
        if method == "INVITE" {
            call.ack(2, "3", "").await;
        }
        assert!(matches!(next(&mut events).await, SipEvent::Ended { .. }));
    }
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn hanging_up_with_a_change_open_answers_both() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let (call, leg, _) = up(&peer, &plane, &mut events, "open-change").await;
    call.invite(2, "3", &SDP.replace("6000", "6002")).await;
    next(&mut events).await;
    plane.send(SipCommand::Hangup { leg, cause: LegCause::Hangup }).unwrap();
    let (mut refused, mut left) = (false, false);
    while !(refused && left) {
        let message = peer.hear().await;
        match message.status() {
            Some(487) => {
                call.ack(2, "3", "").await;
                refused = true;
            }
            None => {
                peer.reply(&message, "200 OK", "", "", "").await;
                left = true;
            }
            _ => {}
        }
    }
    assert!(matches!(next(&mut events).await, SipEvent::Ended { cause: LegCause::Hangup, .. }));
    until_idle(&plane).await;
    plane.shutdown().await;
}
