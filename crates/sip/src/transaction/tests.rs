//! Messages find their transaction, deadlines come in order, and nothing stays.

use model::id::Id as _;

use super::*;
use crate::wire;

const T1: Duration = Duration::from_millis(500);

fn peer() -> Way {
    Way::udp("192.0.2.9:5060".parse().unwrap())
}

fn message(start: &str, via: &str, cseq: &str) -> Message {
    let text = format!(
        "{start}\r\nVia: SIP/2.0/UDP {via}\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n\
         Call-ID: i\r\nCSeq: {cseq}\r\n\r\n"
    );
    let head = wire::read(text.as_bytes()).unwrap().into_owned();
    Message { head, body: Vec::new(), peer: peer() }
}

fn request(method: &str, via: &str) -> Message {
    message(&format!("{method} sip:b@x SIP/2.0"), via, &format!("7 {method}"))
}

fn owner() -> Owner {
    Owner { leg: LegId::from_uuid(uuid::Uuid::from_u128(1)), cseq: 7 }
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[test]
fn requests_belong_together_by_branch_and_sender() {
    let key = |via| asked(&request("INVITE", via), Method::Invite);
    let invite = key("h:5060;branch=z9hG4bK1;rport");
    assert_eq!(invite, key("h:5060;rport;branch=z9hG4bK1"));
    assert_ne!(invite, key("h:5061;branch=z9hG4bK1"));
    assert_ne!(invite, key("h:5060;branch=z9hG4bK2"));
    let ack = request("ACK", "h:5060;branch=z9hG4bK1");
    assert_eq!(asked(&ack, Method::Invite), invite);
    assert_ne!(asked(&ack, Method::Ack), invite);
    // Without the cookie of RFC 3261 the call tells.
    let old = asked(&request("INVITE", "h;branch=1"), Method::Invite);
    assert_eq!(old, asked(&request("ACK", "h;branch=1"), Method::Invite));
    assert_ne!(old, asked(&request("ACK", "other;branch=1"), Method::Invite));
}

#[test]
fn a_refused_invite_is_over_with_its_ack() {
    let (mut all, now) = (Transactions::new(T1), Instant::now());
    let invite = request("INVITE", "h;branch=z9hG4bK1");
    let key = asked(&invite, Method::Invite);
    assert_eq!(all.copied(&key), None);
    all.begin(&key, &invite);
    all.belongs(&key, owner());
    assert_eq!((all.copied(&key), all.due()), (Some(None), None));
    assert_eq!(all.open(&key), Some(Some(owner())));
    assert!(all.respond(now, &key, 486, &bytes("486")));
    assert!(!all.respond(now, &key, 200, &bytes("200")));
    assert_eq!((all.open(&key), all.waiting()), (Some(None), 1));
    assert_eq!(all.fire(now), None);
    assert_eq!(all.fire(now + T1), Some(Task::Send(bytes("486"), peer())));
    assert_eq!(all.fire(now + T1), None);
    assert!(all.refusal_acked(now, &key));
    assert_eq!((all.waiting(), all.len()), (0, 1));
    assert_eq!(all.fire(now + T1 * 10), None);
    assert_eq!((all.len(), all.due()), (0, None));
}

#[test]
fn a_success_without_ack_is_told_once() {
    let (mut all, now) = (Transactions::new(T1), Instant::now());
    let invite = request("INVITE", "h;branch=z9hG4bK1");
    let key = asked(&invite, Method::Invite);
    all.begin(&key, &invite);
    all.belongs(&key, owner());
    assert!(all.respond(now, &key, 200, &bytes("200")));
    assert!(!all.refusal_acked(now, &key), "its ACK is the dialog's");
    assert_eq!(all.fire(now + T1 * 64), Some(Task::NotAcked(owner())));
    assert_eq!((all.fire(now + T1 * 64), all.len(), all.waiting()), (None, 0, 0));
    all.begin(&key, &invite);
    assert!(all.respond(now, &key, 200, &bytes("200")));
    all.settled(now, &key);
    assert_eq!((all.copied(&key), all.waiting()), (Some(None), 0), "copies are taken in");
    assert_eq!((all.fire(now + T1 * 64), all.len()), (None, 0));
}

#[test]
fn responses_find_what_they_answer() {
    let (mut all, now) = (Transactions::new(T1), Instant::now());
    let via = "h;branch=z9hG4bK5";
    let invite = (Method::Invite, "z9hG4bK5");
    let key = all.send(now, invite, bytes("INVITE"), peer(), Some(owner()));
    let heard = |all: &mut Transactions, status: u16, cseq: &str| {
        all.heard(now, &message(&format!("SIP/2.0 {status} x"), via, cseq)).map(|(_, heard)| heard)
    };
    assert_eq!(heard(&mut all, 180, "7 BYE"), None, "of another request");
    assert_eq!(heard(&mut all, 180, "7 INVITE"), Some(Heard::New));
    assert_eq!((all.due(), all.waiting()), (None, 1), "it may ring");
    assert_eq!(heard(&mut all, 486, "7 INVITE"), Some(Heard::New));
    all.acknowledge(&key, bytes("ACK"));
    assert_eq!(heard(&mut all, 486, "7 INVITE"), Some(Heard::Copy));
    assert_eq!(all.last(&key), Some((bytes("ACK"), peer(), Some(owner()))));
    all.give_up(&key);
    assert_eq!((all.len(), all.waiting()), (1, 0), "copies may still come");
    assert_eq!((all.fire(now + T1 * 64), all.len()), (None, 0));
    let key = all.send(now, invite, bytes("INVITE"), peer(), Some(owner()));
    assert_eq!(all.fire(now + T1 * 64), Some(Task::NotAnswered(owner())));
    all.give_up(&key);
    assert_eq!((all.len(), all.waiting()), (0, 0));
}

#[test]
fn what_is_asked_over_a_stream_ends_with_it() {
    let (now, mut all) = (Instant::now(), Transactions::new(T1));
    let stream = Way { transport: model::sip::Transport::Tcp, ..peer() };
    let other = Way { address: "192.0.2.10:5060".parse().unwrap(), ..stream };
    let mut send =
        |branch, peer, owner| all.send(now, (Method::Invite, branch), bytes("INVITE"), peer, owner);
    send("z9hG4bK1", stream, Some(owner()));
    send("z9hG4bK2", stream, None);
    let over = send("z9hG4bK3", stream, Some(owner()));
    send("z9hG4bK4", other, Some(owner()));
    send("z9hG4bK5", peer(), Some(owner()));
    all.give_up(&over);
    // A caller over the same stream who waits, and one who has been answered.
    for (branch, is_answered) in [("z9hG4bK6", false), ("z9hG4bK7", true)] {
        let caller = Message { peer: stream, ..request("INVITE", &format!("a;branch={branch}")) };
        let key = asked(&caller, Method::Invite);
        assert!(all.begin(&key, &caller));
        all.belongs(&key, Owner { cseq: 8, ..owner() });
        if is_answered {
            assert!(all.respond(now, &key, 200, &bytes("200")));
        }
    }
    let mut lost = all.lost(stream);
    lost.sort_by_key(|owner| owner.cseq);
    assert_eq!(lost, [owner(), Owner { cseq: 8, ..owner() }]);
    assert_eq!((all.len(), all.waiting(), all.lost(stream)), (2, 2, vec![]));
    assert_eq!(all.lost(other), [owner()]);
    assert!(all.streamed.is_empty());
    // One that went nowhere.
    let key = all.send(now, (Method::Bye, "z9hG4bK8"), bytes("BYE"), stream, Some(owner()));
    all.in_vain(now, &key);
    assert_eq!((all.fire(now), all.len()), (Some(Task::NotAnswered(owner())), 1));
}
