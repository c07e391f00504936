//! Stories and the ladders that are drawn of them.

use super::*;
use crate::story::{Story, at, id};

type Row = (SegmentKind, i64, Option<i64>, Option<Detail>);

fn rows(lane: &Lane) -> Vec<Row> {
    let secs = |t: Timestamp| t.since(at(0)).millis() / 1_000;
    lane.segments
        .iter()
        .map(|s| (s.kind.clone(), secs(s.start_at), s.end_at.map(secs), s.detail.clone()))
        .collect()
}

#[test]
fn a_whole_call_is_drawn_lane_by_lane() {
    use Detail::{Disposition, Leg, Offer, Queue};
    use SegmentKind::{Connected, Hold, Lost, Node, Offered, Ring, Talking, Waiting, WrapUp};
    let drawn = ladder(&Story::whole_call().events).unwrap();
    let far = Some(Leg(LegCause::FarHangup));
    assert_eq!((drawn.start_at, drawn.end_at), (at(0), Some(at(170))));
    assert_eq!(drawn.lanes.len(), 5);
    assert_eq!(
        rows(&drawn.lanes[0]),
        [(Ring, 0, Some(1), None), (Connected, 1, Some(140), far.clone())]
    );
    assert_eq!(
        rows(&drawn.lanes[1]),
        [
            (Node("menu".into()), 1, Some(5), None),
            (Node("notice".into()), 5, Some(10), None),
            (Node("wait".into()), 10, Some(40), None),
        ]
    );
    let answered = Some(Queue(QueueOutcome::Answered));
    assert_eq!(rows(&drawn.lanes[2]), [(Waiting(id(1)), 10, Some(40), answered)]);
    assert_eq!(drawn.lanes[3].actor, Actor::Agent(id(60)));
    let missed = Some(Offer(OfferOutcome::NoAnswer));
    assert_eq!(rows(&drawn.lanes[3]), [(Offered, 10, Some(30), missed)]);
    assert_eq!(drawn.lanes[4].actor, Actor::Agent(id(61)));
    assert_eq!(
        rows(&drawn.lanes[4]),
        [
            (Offered, 30, Some(40), Some(Offer(OfferOutcome::Accepted))),
            (Talking, 40, Some(60), None),
            (Hold, 60, Some(80), None),
            (Talking, 80, Some(100), None),
            (Lost, 100, Some(105), None),
            (Talking, 105, Some(140), far),
            (WrapUp, 140, Some(170), Some(Disposition("order".into()))),
        ]
    );
    let marks: Vec<_> = drawn.marks.iter().map(|m| m.at).collect();
    assert_eq!(marks, [at(5), at(9), at(40), at(140)]);
}

#[test]
fn hold_under_a_lost_page_comes_back_and_ends_with_the_call() {
    let (call, bob) = (id(50), id(61));
    let mut story = Story::new(1);
    story.start(0, call);
    story.connect(10, call, 70, bob);
    story.add(20, Event::HoldStarted { call, agent: bob });
    story.add(30, Event::AgentLost { call, agent: bob });
    story.add(40, Event::AgentRegained { call, agent: bob });
    story.add(50, Event::HoldEnded { call, agent: bob });
    story.disconnect(50, call, bob);
    let drawn = ladder(&story.events).unwrap();
    let far = Some(Detail::Leg(LegCause::FarHangup));
    assert_eq!(
        rows(&drawn.lanes[3]),
        [
            (SegmentKind::Talking, 10, Some(20), None),
            (SegmentKind::Hold, 20, Some(30), None),
            (SegmentKind::Lost, 30, Some(40), None),
            (SegmentKind::Hold, 40, Some(50), far),
        ]
    );
}

#[test]
fn a_call_that_runs_is_open_at_its_end() {
    let story = Story::whole_call();
    let drawn = ladder(&story.events[..9]).unwrap();
    assert_eq!(drawn.end_at, None);
    assert_eq!(drawn.lanes[2].segments[0].end_at, None);
    assert!(ladder(&story.events[1..]).is_none());
}

#[test]
fn other_calls_are_passed_over() {
    let mut story = Story::whole_call();
    let alone = ladder(&story.events);
    story.start(3, id(51));
    story.end(4, id(51), model::event::CallOutcome::LeftInFlow);
    assert_eq!(ladder(&story.events), alone);
}

#[test]
fn a_colleague_who_is_asked_in_has_a_lane_and_gets_the_customer() {
    use SegmentKind::{Consult, Hold, Offered, Talking};
    let (call, consult, ann, bob) = (id(50), id(90), id(60), id(61));
    let mut story = Story::new(1);
    story.start(0, call);
    story.connect(10, call, 70, ann);
    story.add(20, Event::ConsultStarted { call, consult, agent: ann, colleague: bob });
    story.add(20, Event::HoldStarted { call, agent: ann });
    story.add(25, Event::ConsultJoined { call, consult, colleague: bob, leg: id(104) });
    story.add(30, Event::HoldEnded { call, agent: ann });
    story.add(30, Event::ConferenceStarted { call, consult });
    story.add(40, Event::ConferenceEnded { call, consult });
    let outcome = ConsultOutcome::HandedOver;
    story.add(40, Event::ConsultEnded { call, consult, agent: ann, colleague: bob, outcome });
    story.disconnect(40, call, ann);
    story.connect(40, call, 70, bob);
    story.disconnect(60, call, bob);
    let drawn = ladder(&story.events).unwrap();
    let far = Some(Detail::Leg(LegCause::FarHangup));
    assert_eq!(
        rows(&drawn.lanes[3]),
        [
            (Talking, 10, Some(20), None),
            (Hold, 20, Some(30), None),
            (Talking, 30, Some(40), far.clone()),
        ]
    );
    assert_eq!(drawn.lanes[4].actor, Actor::Agent(bob));
    assert_eq!(
        rows(&drawn.lanes[4]),
        [
            (Offered, 20, Some(25), Some(Detail::Offer(OfferOutcome::Accepted))),
            (Consult, 25, Some(30), None),
            (Talking, 30, Some(40), Some(Detail::Consult(outcome))),
            (Talking, 40, Some(60), far),
        ]
    );
    let mark = Mark { at: at(40), kind: MarkKind::HandedOver(bob) };
    assert_eq!(drawn.marks, [mark]);
}
