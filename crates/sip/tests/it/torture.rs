//! Every message of RFC 4475 and RFC 5118 on the wire, and what it must lead to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use model::sip::{SipCommand, SipEvent};
use sip::{SipConfig, start};

use crate::peer::Peer;
use crate::support::{quick, testdata, until};

/// What the sender sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reaction {
    /// A final response with this status.
    Status(u16),
    /// `Incoming` is reported; the test then refuses it with 480.
    Call,
    /// Nothing at all.
    Silence,
    /// Nothing at all: it is not whole.
    Waits,
}

use Reaction::{Call, Silence, Status, Waits};

/// What the table of the set asks of an endpoint that is a back-to-back user agent.
const TABLE: &[(&str, Reaction)] = &[
    ("rfc4475/intmeth.dat", Status(501)),
    ("rfc4475/esc02.dat", Status(501)),
    ("rfc4475/lwsdisp.dat", Status(200)),
    ("rfc4475/semiuri.dat", Status(200)),
    ("rfc4475/transports.dat", Status(200)),
    ("rfc4475/unreason.dat", Silence),
    ("rfc4475/noreason.dat", Silence),
    ("rfc4475/badinv01.dat", Status(400)),
    ("rfc4475/clerr.dat", Status(400)),
    ("rfc4475/ncl.dat", Status(400)),
    ("rfc4475/scalar02.dat", Status(400)),
    ("rfc4475/scalarlg.dat", Silence),
    ("rfc4475/quotbal.dat", Status(400)),
    ("rfc4475/ltgtruri.dat", Status(400)),
    ("rfc4475/lwsruri.dat", Status(400)),
    ("rfc4475/lwsstart.dat", Status(400)),
    ("rfc4475/trws.dat", Status(400)),
    ("rfc4475/escruri.dat", Status(400)),
    ("rfc4475/baddate.dat", Call),
    ("rfc4475/regbadct.dat", Status(400)),
    ("rfc4475/badaspec.dat", Status(400)),
    ("rfc4475/baddn.dat", Status(400)),
    ("rfc4475/badvers.dat", Status(505)),
    ("rfc4475/mismatch01.dat", Status(400)),
    ("rfc4475/mismatch02.dat", Status(501)),
    ("rfc4475/bigcode.dat", Silence),
    ("rfc4475/badbranch.dat", Status(400)),
    ("rfc4475/insuf.dat", Status(400)),
    ("rfc4475/unkscm.dat", Status(416)),
    ("rfc4475/novelsc.dat", Status(416)),
    ("rfc4475/bext01.dat", Status(420)),
    ("rfc4475/invut.dat", Status(415)),
    ("rfc4475/multi01.dat", Status(400)),
    ("rfc4475/mcl01.dat", Status(400)),
    ("rfc4475/bcast.dat", Silence),
    ("rfc4475/zeromf.dat", Status(200)),
    ("rfc4475/sdp01.dat", Status(406)),
    ("rfc4475/longreq.dat", Call),
    ("rfc4475/esc01.dat", Status(404)),
    ("rfc4475/mpart01.dat", Status(405)),
    // A REGISTER is accepted once its sender has proven who they are.
    ("rfc4475/escnull.dat", Status(401)),
    ("rfc4475/dblreq.dat", Status(401)),
    ("rfc4475/unksm2.dat", Status(400)),
    ("rfc4475/regaut01.dat", Status(401)),
    ("rfc4475/cparam01.dat", Status(401)),
    ("rfc4475/cparam02.dat", Status(401)),
    ("rfc4475/regescrt.dat", Status(401)),
    ("rfc5118/ipv6-good.dat", Status(401)),
    ("rfc5118/port-ambiguous.dat", Status(401)),
    ("rfc5118/port-unambiguous.dat", Status(401)),
    ("rfc5118/ipv6-bad.dat", Status(400)),
    ("rfc5118/ipv6-in-sdp.dat", Status(488)),
    ("rfc5118/mult-ip-in-sdp.dat", Call),
    ("rfc5118/ipv6-bug-abnf-3-colons.dat", Status(400)),
    ("rfc5118/ipv6-correct-abnf-2-colons.dat", Status(200)),
];

/// Where we do otherwise, and why.
const DEVIATIONS: &[(&str, Reaction, &str)] = &[
    (
        "rfc4475/wsinv.dat",
        Status(481),
        "its To tag is none of ours: a dialog that we do not know (RFC 3261 section 12.2.2)",
    ),
    (
        "rfc4475/inv2543.dat",
        Status(400),
        "no From tag, no branch, no Contact: peers of RFC 2543 are not served",
    ),
    (
        "rfc5118/via-received-param-with-delim.dat",
        Status(481),
        "a BYE outside any dialog of ours; both spellings of received are read",
    ),
    ("rfc5118/via-received-param-no-delim.dat", Status(200), "an OPTIONS: accepted"),
    ("rfc5118/mult-ip-in-header.dat", Status(481), "a BYE outside any dialog of ours"),
    (
        "rfc5118/ipv4-mapped-ipv6.dat",
        Status(488),
        "it offers G.726 only, and the house speaks G.711; the addresses are read",
    ),
];

/// Files of the index, which must all be in one of the tables.
fn index() -> Vec<String> {
    let text = std::fs::read_to_string(testdata("sip-torture/index.csv")).unwrap();
    text.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect()
}

/// What is otherwise over a connection, and why.
const STREAMED: &[(&str, Reaction, &str)] =
    &[("rfc4475/clerr.dat", Waits, "the rest of its body may come yet")];

#[tokio::test]
async fn every_torture_message_gets_its_reaction() {
    torture(&[], Peer::new).await;
}

#[tokio::test]
async fn every_torture_message_gets_its_reaction_over_a_connection_cut_at_every_byte() {
    torture(STREAMED, |plane| Peer::connected(plane, 1)).await;
}

async fn torture<F: Future<Output = Peer>>(
    otherwise: &[(&str, Reaction, &str)],
    peer: impl Fn(SocketAddr) -> F,
) {
    let expected: BTreeMap<&str, Reaction> = TABLE
        .iter()
        .copied()
        .chain(DEVIATIONS.iter().chain(otherwise).map(|(file, reaction, _)| (*file, *reaction)))
        .collect();
    let config = SipConfig { rate_per_source: u32::MAX, ..quick() };
    let (plane, mut events) = start(config).unwrap();
    plane.send(SipCommand::PhonesNamed).unwrap();
    let files = index();
    assert_eq!(files.len(), 61);
    assert_eq!(expected.len(), files.len());
    let mut wrong = Vec::new();
    for file in &files {
        let peer = peer(plane.local_addr()).await;
        let before = plane.counters().messages_in;
        peer.send_bytes(&std::fs::read(testdata("sip-torture").join(file)).unwrap()).await;
        let is_silent = matches!(expected.get(file.as_str()), Some(Silence | Waits));
        let mut seen = if expected.get(file.as_str()) == Some(&Waits) { Waits } else { Silence };
        if seen == Silence {
            until("the message is read", || plane.counters().messages_in > before).await;
        }
        let wait = if is_silent { 100 } else { 2_000 };
        while let Some(reply) = peer.hear_within(Duration::from_millis(wait)).await {
            let status = reply.status().expect("a response");
            if status >= 200 {
                seen = if seen == Call { Call } else { Status(status) };
                break;
            }
            let SipEvent::Incoming { leg, .. } = crate::support::next(&mut events).await else {
                panic!("{file}: no call")
            };
            seen = Call;
            plane.send(SipCommand::Reject { leg, status: 480, retry_after_s: None }).unwrap();
        }
        if seen == Waits {
            assert_eq!(plane.counters().messages_in, before, "{file}");
        }
        if expected.get(file.as_str()) != Some(&seen) {
            wrong.push(format!("{file}: {seen:?} instead of {:?}", expected.get(file.as_str())));
        }
        while events.try_recv().is_ok() {}
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    plane.shutdown().await;
}
