//! REFER inside a dialog: the far side asks for its call to go elsewhere.

use model::LegId;
use model::sip::{LegCause, SipCommand, SipEvent};
use sip::{SipHandle, start};
use tokio::sync::mpsc::Receiver;

use crate::peer::{Call, Message, Peer, SDP};
use crate::support::{desc, next, quick, until_idle};

/// A call of a peer that was answered.
async fn answered<'a>(
    plane: &SipHandle,
    events: &mut Receiver<SipEvent>,
    peer: &'a Peer,
    id: &str,
) -> (Call<'a>, LegId) {
    let (mut call, leg) = offered(events, peer, id).await;
    plane.send(SipCommand::Answer { leg, local: desc(9000) }).unwrap();
    call.adopt(&peer.status(200).await);
    call.ack(1, "ack", "").await;
    assert!(matches!(next(events).await, SipEvent::Confirmed { .. }));
    (call, leg)
}

async fn offered<'a>(
    events: &mut Receiver<SipEvent>,
    peer: &'a Peer,
    id: &str,
) -> (Call<'a>, LegId) {
    let call = peer.call(id);
    call.invite(1, "1", SDP).await;
    peer.status(100).await;
    let SipEvent::Incoming { leg, .. } = next(events).await else { panic!("no call") };
    (call, leg)
}

async fn refers(call: &Call<'_>, cseq: u32, headers: &str) {
    call.send("REFER", cseq, &format!("r{cseq}"), headers, "").await;
}

/// The next NOTIFY, which is answered: what it says, and whether it is the last.
async fn notified(peer: &Peer, refer: u32) -> (Message, bool) {
    let notify = peer.request("NOTIFY").await;
    peer.reply(&notify, "200 OK", "", "", "").await;
    assert_eq!(notify.header("Event"), format!("refer;id={refer}"), "{}", notify.0);
    assert_eq!(notify.header("Content-Type"), "message/sipfrag;version=2.0");
    let state = notify.header("Subscription-State");
    let is_last = state == "terminated;reason=noresource";
    assert!(is_last || state.starts_with("active;expires="), "{state}");
    (notify, is_last)
}

async fn referred(events: &mut Receiver<SipEvent>) -> (LegId, String, Option<LegId>) {
    match next(events).await {
        SipEvent::Referred { leg, to, replaces, .. } => (leg, to.to_string(), replaces),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn whoever_asks_hears_that_it_is_seen_to_and_then_what_became_of_it() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let (call, leg) = answered(&plane, &mut events, &peer, "blind").await;
    refers(&call, 2, "Refer-To: <sip:12@house.example>\r\n").await;
    let accepted = peer.status(202).await;
    assert!(!accepted.header("Contact").is_empty(), "{}", accepted.0);
    let (trying, is_last) = notified(&peer, 2).await;
    assert_eq!((trying.body(), is_last), ("SIP/2.0 100 Trying\r\n", false));
    assert_eq!(referred(&mut events).await, (leg, "12".to_owned(), None));
    // One wish at a time.
    refers(&call, 3, "Refer-To: sip:13@house.example\r\n").await;
    peer.status(491).await;
    plane.send(SipCommand::Refer { leg, refer: 2, status: 603 }).unwrap();
    let (declined, is_last) = notified(&peer, 2).await;
    assert_eq!((declined.body(), is_last), ("SIP/2.0 603 Decline\r\n", true));

    // A short name, and whoever does not want to know is told nothing.
    refers(&call, 4, "r: sip:%2A61@house.example\r\nRefer-Sub: false\r\n").await;
    assert_eq!(peer.status(202).await.header("Refer-Sub"), "false");
    assert_eq!(referred(&mut events).await, (leg, "*61".to_owned(), None));
    plane.send(SipCommand::Refer { leg, refer: 4, status: 200 }).unwrap();
    plane.send(SipCommand::Hangup { leg, cause: LegCause::Hangup }).unwrap();
    let bye = peer.hear().await;
    assert!(bye.start().starts_with("BYE "), "{}", bye.0);
    peer.reply(&bye, "200 OK", "", "", "").await;
    assert!(matches!(next(&mut events).await, SipEvent::Ended { .. }));
    until_idle(&plane).await;
}

#[tokio::test]
async fn two_calls_are_put_together_by_the_names_of_their_dialogs() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let (first, leg) = answered(&plane, &mut events, &peer, "first").await;
    let (mut second, other) = offered(&mut events, &peer, "second").await;
    plane.send(SipCommand::Ring { leg: other }).unwrap();
    let ringing = peer.status(180).await;
    assert!(!ringing.header("Contact").is_empty(), "it makes an early dialog: {}", ringing.0);
    second.adopt(&ringing);
    let replaces = |id: &str, ours: &str, theirs: &str| {
        format!(
            "Refer-To: <sip:12@house.example?Subject=x&Replaces={id}%3Bto-tag%3D{ours}%3B\
             from-tag%3D{theirs}>\r\n"
        )
    };
    let tag = second.to_tag.clone();
    refers(&first, 2, &replaces("second", &tag, "a1")).await;
    peer.status(202).await;
    notified(&peer, 2).await;
    assert_eq!(referred(&mut events).await, (leg, "12".to_owned(), Some(other)));
    plane.send(SipCommand::Refer { leg, refer: 2, status: 403 }).unwrap();
    let (refused, is_last) = notified(&peer, 2).await;
    assert_eq!((refused.body(), is_last), ("SIP/2.0 403 Forbidden\r\n", true));
    // Whoever does not know the dialog does not replace it, and nothing else is done instead.
    for (n, (headers, status)) in [
        (replaces("second", &tag, "a2"), 481),
        (replaces("first", &tag, "a1"), 481),
        (replaces("second", "nobody", "a1"), 481),
        ("Refer-To: <sip:12@house.example?Replaces=second>\r\n".to_owned(), 400),
        ("Refer-To: <sip:12@house.example?replaces=second%3Bto-tag%3Dx>\r\n".to_owned(), 400),
    ]
    .into_iter()
    .enumerate()
    {
        refers(&first, 3 + u32::try_from(n).unwrap(), &headers).await;
        peer.status(status).await;
        assert!(events.try_recv().is_err(), "{headers}");
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_at_once() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let (call, _) = answered(&plane, &mut events, &peer, "bad").await;
    for (n, (headers, status)) in [
        ("", 400),
        ("Refer-To: <sip:12@a>\r\nRefer-To: <sip:13@a>\r\n", 400),
        ("Refer-To: \r\n", 400),
        ("Refer-To: <sip:>\r\n", 400),
        ("Refer-To: <tel:12>\r\n", 416),
        ("Refer-To: <http://house.example>\r\n", 416),
        ("Refer-To: <sip:house.example>\r\n", 404),
        ("Refer-To: <sip:a%20b@house.example>\r\n", 404),
    ]
    .into_iter()
    .enumerate()
    {
        refers(&call, 2 + u32::try_from(n).unwrap(), headers).await;
        let refusal = peer.status(status).await;
        assert_eq!(refusal.status(), Some(status), "{headers}");
    }
    // Nobody's dialog, and one that is not up.
    refers(&peer.call("nobody"), 1, "Refer-To: <sip:12@a>\r\n").await;
    peer.status(481).await;
    let (mut early, leg) = offered(&mut events, &peer, "early").await;
    plane.send(SipCommand::Ring { leg }).unwrap();
    early.adopt(&peer.status(180).await);
    refers(&early, 2, "Refer-To: <sip:12@a>\r\n").await;
    peer.status(491).await;
    assert!(events.try_recv().is_err());
}
