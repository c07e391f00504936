//! A customer's leg between the SIP and the media plane: changes of its session, late offers.

use model::media::{Codec, Direction, MediaCommand, MediaDesc, MediaEvent};
use model::sip::{SipCommand, SipEvent};

use crate::house::{House, desc};

/// Every form of hold reaches both the answer and the media plane, and so does its end.
#[tokio::test]
async fn a_customer_holds_and_comes_back() {
    let mut house = House::start().await;
    let leg = house.ring("100").await;
    let source = "127.0.0.1:5".parse().expect("address");
    for (change, theirs, ours) in [
        (2, Direction::SendOnly, Direction::RecvOnly),
        (3, Direction::Inactive, Direction::Inactive),
        (4, Direction::SendRecv, Direction::SendRecv),
    ] {
        let offer = Some(MediaDesc { direction: theirs, ..desc() });
        house.sip_event(SipEvent::Reoffered { leg, change, offer, source }).await;
        house
            .sip_until(|command| match command {
                SipCommand::Reanswer { change: of, local, .. } => {
                    *of == change && local.direction == ours
                }
                _ => false,
            })
            .await;
        house.sip_event(SipEvent::ChangeEnded { leg, change, taken: true }).await;
        house
            .media_until(|command| match command {
                MediaCommand::Remote { remote, .. } => remote.desc.direction == theirs,
                _ => false,
            })
            .await;
    }
    house.stop().await;
}

/// An INVITE without a description gets our offer in the 200, and media learns the answer that the
/// ACK brings before the call counts as up.
#[tokio::test]
async fn a_customer_who_does_not_offer_is_offered() {
    let mut house = House::start().await;
    let leg = house.incoming_with("100", None).await;
    let ours = MediaDesc { codecs: Codec::ALL.to_vec(), ..desc() };
    house.media_until(|c| matches!(c, MediaCommand::Prepare { remote: None, .. })).await;
    house.media_event(MediaEvent::Prepared { leg, local: ours.clone() }).await;
    let answer = house.sip_until(|c| matches!(c, SipCommand::Answer { .. })).await;
    assert_eq!(answer, SipCommand::Answer { leg, local: ours });
    let theirs = MediaDesc { codecs: vec![Codec::Pcma], dtmf: None, port: 7_000, ..desc() };
    house.sip_event(SipEvent::Confirmed { leg, remote: Some(theirs.clone()) }).await;
    house
        .media_until(|command| match command {
            MediaCommand::Remote { leg: of, local, remote } => {
                *of == leg && remote.desc == theirs && local.dtmf.is_none()
            }
            _ => false,
        })
        .await;
    house.waiting_call(leg).await;
    house.stop().await;
}
