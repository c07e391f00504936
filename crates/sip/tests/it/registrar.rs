//! Telephones that register, on the wire.

use model::id::Id as _;
use model::sip::{
    Callee, Caller, Digest, Ha1, LegCause, PhoneAccount, REALM, SipCommand, SipEvent,
};
use model::{DeviceId, TenantId};
use sha2::{Digest as _, Sha256};
use sip::{SipConfig, start};
use tokio::sync::mpsc::Receiver;

use crate::peer::{Message, Peer, SDP};
use crate::support::{desc, hang_up, leg_id, next, quick, until, until_idle};

const USER: &str = "7k2m";
const URI: &str = "sip:house.example";

fn tenant() -> TenantId {
    TenantId::from_uuid(uuid::Uuid::from_u128(1))
}

pub(crate) fn device() -> DeviceId {
    DeviceId::from_uuid(uuid::Uuid::from_u128(2))
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn phones(secret: &str) -> SipCommand {
    let ha1 = Ha1::new(Digest::Sha256, sha256(&format!("{USER}:{REALM}:{secret}")));
    let account = PhoneAccount { device: device(), username: USER.parse().unwrap(), ha1 };
    SipCommand::Phones { tenant: tenant(), accounts: vec![account], contacts: vec![] }
}

/// At how many places the telephone can be rung from now on.
pub(crate) async fn told(events: &mut Receiver<SipEvent>) -> usize {
    match next(events).await {
        SipEvent::Registered { tenant: of, device: which, contacts } => {
            assert_eq!((of, which), (tenant(), device()));
            contacts.len()
        }
        event => panic!("{event:?}"),
    }
}

fn register(peer: &Peer, cseq: u32, headers: &str) -> String {
    let via = peer.via();
    format!(
        "REGISTER {URI} SIP/2.0\r\nVia: {via};rport;branch=z9hG4bKr{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{USER}@house.example>;tag=me\r\n\
         To: <sip:{USER}@house.example>\r\nCall-ID: boot\r\nCSeq: {cseq} REGISTER\r\n{headers}\
         Content-Length: 0\r\n\r\n"
    )
}

/// The Authorization header of a REGISTER for a challenge.
fn proof(challenge: &Message, secret: &str) -> String {
    proof_of(challenge, secret, "REGISTER", URI)
}

fn proof_of(challenge: &Message, secret: &str, method: &str, uri: &str) -> String {
    let value = challenge.header("WWW-Authenticate");
    let nonce = value.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap();
    let ha1 = sha256(&format!("{USER}:{REALM}:{secret}"));
    let ha2 = sha256(&format!("{method}:{uri}"));
    let response = sha256(&format!("{ha1}:{nonce}:00000001:c0ffee:auth:{ha2}"));
    format!(
        "Authorization: Digest username=\"{USER}\", realm=\"{REALM}\", nonce=\"{nonce}\", \
         uri=\"{uri}\", algorithm=SHA-256, cnonce=\"c0ffee\", qop=auth, nc=00000001, \
         response=\"{response}\"\r\n"
    )
}

/// A telephone that knows its secret registers.
pub(crate) async fn registered(peer: &Peer) -> Message {
    registers(peer, 1, &peer.contact()).await
}

/// The same with the numbers `cseq` and the next, and with a contact of its own.
pub(crate) async fn registers(peer: &Peer, cseq: u32, contact: &str) -> Message {
    peer.send(&register(peer, cseq, contact)).await;
    let challenge = peer.status(401).await;
    peer.send(&register(peer, cseq + 1, &(proof(&challenge, "right") + contact))).await;
    peer.status(200).await
}

#[tokio::test]
async fn a_telephone_registers_and_is_rung_where_it_is() {
    let (plane, mut events) = start(quick()).unwrap();
    plane.send(phones("right")).unwrap();
    plane.send(SipCommand::PhonesNamed).unwrap();
    // From a network that may not call in.
    let peer = Peer::new(plane.local_addr()).await;
    peer.send(&register(&peer, 1, &peer.contact())).await;
    let challenge = peer.status(401).await;
    assert_eq!(plane.counters().transactions, 0, "nothing is kept of whoever proves nothing");
    let own = register(&peer, 2, &(proof(&challenge, "right") + &peer.contact()));
    peer.send(&own).await;
    let welcome = peer.status(200).await;
    let contact = welcome.header("Contact");
    assert!(contact.starts_with(&format!("<sip:peer@{}>;expires=", peer.address)), "{contact}");
    assert_eq!(told(&mut events).await, 1);
    // A copy hears the same, and changes nothing.
    peer.send(&own).await;
    assert_eq!(peer.status(200).await.0, welcome.0);
    until("counted", || plane.counters().phones == 1).await;

    let leg = leg_id();
    let (callee, caller) = (Callee::Phone(device()), Caller::default());
    plane.send(SipCommand::Dial { leg, callee, caller, local: desc(9000) }).unwrap();
    let invite = peer.request("INVITE").await;
    assert!(invite.start().starts_with(&format!("INVITE sip:peer@{} ", peer.address)));
    peer.reply(&invite, "200 OK", "t1", &peer.contact(), SDP).await;
    assert!(matches!(next(&mut events).await, SipEvent::Answered { .. }));
    peer.request("ACK").await;

    // Another secret: it is registered no longer, and its call goes on.
    plane.send(phones("new")).unwrap();
    assert_eq!(told(&mut events).await, 0);
    let again = leg_id();
    let (callee, caller) = (Callee::Phone(device()), Caller::default());
    plane.send(SipCommand::Dial { leg: again, callee, caller, local: desc(9000) }).unwrap();
    let ended = SipEvent::Ended { leg: again, cause: LegCause::Unreachable, status: None };
    assert_eq!(next(&mut events).await, ended);
    hang_up(&plane, &mut events, &peer, leg).await;
    until_idle(&plane).await;
}

#[tokio::test]
async fn whoever_does_not_know_the_secret_is_told_so_and_nothing_happens() {
    let (plane, mut events) = start(quick()).unwrap();
    plane.send(phones("right")).unwrap();
    plane.send(SipCommand::PhonesNamed).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    peer.send(&register(&peer, 1, &peer.contact())).await;
    let challenge = peer.status(401).await;
    let wrong = register(&peer, 2, &(proof(&challenge, "wrong") + &peer.contact()));
    peer.send(&wrong).await;
    let refusal = peer.status(403).await;
    assert!(refusal.header("Warning").starts_with("399 antiphon \""), "{}", refusal.0);
    // In a dialog there is nothing to register (RFC 3261 section 10.2).
    let tagged = register(&peer, 3, "").replace("\r\nCall-ID", ";tag=x\r\nCall-ID");
    peer.send(&tagged).await;
    peer.status(481).await;
    let counters = plane.counters();
    assert_eq!((counters.phones, counters.transactions, counters.legs), (0, 0, 0));
    assert_eq!(counters.refused["wrong_secret"], 1);
    assert_eq!(counters.refused["unproven"], 1);
    assert!(events.try_recv().is_err());
}

const CODE: &str = "sip:*61@house.example";

fn call(peer: &Peer, cseq: u32, (from, to): (&str, &str), headers: &str) -> String {
    let (via, contact) = (peer.via(), peer.contact());
    format!(
        "INVITE {to} SIP/2.0\r\nVia: {via};rport;branch=z9hG4bKi{cseq}\r\nMax-Forwards: 70\r\n\
         From: <sip:{from}@house.example>;tag=call{cseq}\r\nTo: <{to}>\r\nCall-ID: dials\r\n\
         CSeq: {cseq} INVITE\r\n{contact}{headers}Content-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{SDP}",
        SDP.len()
    )
}

#[tokio::test]
async fn a_telephone_that_calls_proves_that_it_is_the_one() {
    let (plane, mut events) = start(SipConfig { trusted: vec![], ..quick() }).unwrap();
    plane.send(phones("right")).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let own = (USER, CODE);
    peer.send(&call(&peer, 1, own, "")).await;
    peer.status(403).await;
    plane.send(SipCommand::PhonesNamed).unwrap();
    registers(&peer, 1, &peer.contact()).await;
    assert_eq!(told(&mut events).await, 1);
    until("settled", || plane.counters().transactions == 0).await;

    peer.send(&call(&peer, 2, own, "")).await;
    let challenge = peer.status(401).await;
    let counters = plane.counters();
    assert_eq!((counters.transactions, counters.legs), (0, 0), "nothing is kept of it");
    for (n, (from, uri, secret)) in [
        (USER, CODE, "wrong"),
        // What was proven is another call.
        (USER, "sip:*63@house.example", "right"),
        // One telephone speaks for another.
        ("8s4x", CODE, "right"),
    ]
    .into_iter()
    .enumerate()
    {
        let cseq = 3 + 2 * u32::try_from(n).unwrap();
        peer.send(&call(&peer, cseq, own, "")).await;
        let challenge = peer.status(401).await;
        let proof = proof_of(&challenge, secret, "INVITE", uri);
        peer.send(&call(&peer, cseq + 1, (from, CODE), &proof)).await;
        peer.status(403).await;
    }
    let proven = call(&peer, 9, own, &proof_of(&challenge, "right", "INVITE", CODE));
    peer.send(&proven).await;
    peer.status(100).await;
    let SipEvent::Incoming { leg, dialled, telephone, .. } = next(&mut events).await else {
        panic!("no call")
    };
    assert_eq!((dialled.as_str(), telephone), ("*61", Some((tenant(), device()))));
    // The same proof is good for one call.
    peer.send(&proven.replace("z9hG4bKi9", "z9hG4bKi10").replace("call9", "call10")).await;
    let again = peer.status(401).await;
    assert!(again.header("WWW-Authenticate").contains("stale=true"), "{}", again.0);
    plane.send(SipCommand::Reject { leg, status: 486, retry_after_s: None }).unwrap();
    peer.status(486).await;
    assert!(matches!(next(&mut events).await, SipEvent::Ended { .. }));
}

#[tokio::test]
async fn whoever_may_call_in_cannot_speak_for_a_telephone() {
    let (plane, mut events) = start(quick()).unwrap();
    plane.send(phones("right")).unwrap();
    plane.send(SipCommand::PhonesNamed).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    peer.send(&call(&peer, 1, (USER, CODE), "")).await;
    peer.status(401).await;
    assert_eq!(plane.counters().legs, 0);
    peer.send(&call(&peer, 2, ("2105550142", CODE), "")).await;
    peer.status(100).await;
    let SipEvent::Incoming { telephone, .. } = next(&mut events).await else { panic!("no call") };
    assert_eq!(telephone, None);
}
