//! Two telephones on loopback: signalling, audio both ways, keys, hold, refusals, many at once.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::net::SocketAddr;
use std::time::Duration;

use model::media::Codec;
use phone::chirp::Code;
use phone::dialog::Ended;
use phone::diary::What;
use phone::plan::{Agent, Moment, Plan, Then, keys};
use phone::voice::Sound;
use phone::{Config, Phone};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn agent(then: Then) -> Agent {
    let sound = Sound::chirp(Code::new(2).unwrap());
    Agent { ring: ms(50), then, talk: None, sound, keep: true }
}

async fn phone(agent: Option<Agent>) -> Phone {
    Phone::start(Config { bind: loopback(), agent, trace: true }, None).await.unwrap()
}

#[tokio::test]
async fn both_hear_each_other_and_nobody_else() {
    for late_offer in [false, true] {
        let mut callee = phone(Some(agent(Then::Answer))).await;
        let caller = phone(None).await;
        let mut plan = Plan::new(callee.local(), "100");
        plan.codec = if late_offer { Codec::Pcma } else { Codec::Pcmu };
        plan.late_offer = late_offer;
        plan.sound = Sound::chirp(Code::new(9).unwrap());
        plan.keys = keys("300ms:1,chirp2:23#").unwrap();
        plan.hang_up = Some(Moment::Answer(ms(3_000)));
        let mut call = caller.call(plan);
        let mut taken = timeout(PATIENCE, callee.incoming()).await.unwrap().unwrap();
        let out = timeout(PATIENCE, call.finished()).await.unwrap().unwrap();
        let back = timeout(PATIENCE, taken.finished()).await.unwrap().unwrap();
        assert_eq!((out.ended, back.ended), (Ended::HungUp, Ended::FarHangup));
        assert_eq!((out.pressed.as_str(), back.heard_keys.as_str()), ("123#", "123#"));
        assert_eq!(back.caller, "+302105550100");
        let numbers = |report: &phone::diary::Report| -> Vec<usize> {
            report.codes().iter().map(|(code, _)| code.number()).collect()
        };
        assert_eq!((numbers(&out), numbers(&back)), (vec![2], vec![9]));
        let delays = out.delays_of(Code::new(2).unwrap(), back.sound_began_at.unwrap());
        assert!(!delays.is_empty() && delays.iter().all(|us| *us < 100_000), "{delays:?}");
        assert!(out.quality.packets > 100 && out.quality.lost == 0, "{:?}", out.quality);
    }
}

#[tokio::test]
async fn refused_cancelled_and_never_answered() {
    for (then, expected) in
        [(Then::Refuse(603), Ended::Refused(603)), (Then::Nothing, Ended::Cancelled)]
    {
        let mut callee = phone(Some(agent(then))).await;
        let caller = phone(None).await;
        let mut plan = Plan::new(callee.local(), "100");
        plan.cancel_after = (then == Then::Nothing).then_some(ms(400));
        let mut call = caller.call(plan);
        let mut taken = timeout(PATIENCE, callee.incoming()).await.unwrap().unwrap();
        let report = timeout(PATIENCE, call.finished()).await.unwrap().unwrap();
        assert_eq!(report.ended, expected);
        assert!(report.ringing_at.is_some() && report.answered_at.is_none());
        assert!(timeout(PATIENCE, taken.finished()).await.unwrap().is_some());
    }
    let nobody = phone(None).await;
    let caller = phone(None).await;
    let mut call = caller.call(Plan::new(nobody.local(), "100"));
    let report = timeout(PATIENCE, call.finished()).await.unwrap().unwrap();
    assert_eq!(report.ended, Ended::Refused(480));
}

#[tokio::test]
async fn a_customer_waits_speaks_and_leaves() {
    // A prompt of half a second, then quiet: somebody listens.
    let prompt: Vec<i16> = (0..4_000_i16).map(|n| n % 50 * 200).collect();
    let agent = Agent { sound: Sound::Once(prompt.into()), ..agent(Then::Answer) };
    let mut callee = phone(Some(agent)).await;
    let caller = phone(None).await;
    let mut plan = Plan::new(callee.local(), "100");
    plan.sound = Sound::chirp(Code::new(6).unwrap());
    plan.say_from = Some(Moment::Quiet(ms(300)));
    plan.talk = Some(ms(1_500));
    let mut call = caller.call(plan.clone());
    let mut taken = timeout(PATIENCE, callee.incoming()).await.unwrap().unwrap();
    let out = timeout(PATIENCE, call.finished()).await.unwrap().unwrap();
    let back = timeout(PATIENCE, taken.finished()).await.unwrap().unwrap();
    let spoke_after = out.sound_began_at.unwrap() - out.first_sound_at.unwrap();
    assert!((700_000..2_000_000).contains(&spoke_after), "{spoke_after} us");
    assert_eq!(back.codes().len(), 1, "{:?}", back.codes());
    // Nobody ever listens: patience ends.
    plan.say_from = Some(Moment::Chirp(Code::new(1).unwrap(), ms(0)));
    plan.patience = Some(ms(800));
    let mut call = caller.call(plan);
    let out = timeout(PATIENCE, call.finished()).await.unwrap().unwrap();
    assert_eq!((out.ended, out.sound_began_at), (Ended::HungUp, None));
}

#[tokio::test]
async fn hold_is_seen_by_the_far_side() {
    let mut callee = phone(Some(agent(Then::Answer))).await;
    let caller = phone(None).await;
    let mut call = caller.call(Plan::new(callee.local(), "100"));
    let mut taken = timeout(PATIENCE, callee.incoming()).await.unwrap().unwrap();
    timeout(PATIENCE, call.until(|what| matches!(what, What::FirstSound))).await.unwrap().unwrap();
    for hold in [true, false] {
        call.hold(hold);
        let seen = taken.until(|what| matches!(what, What::Reoffered { open } if *open != hold));
        assert!(timeout(PATIENCE, seen).await.unwrap().is_some(), "hold {hold}");
    }
    taken.hang_up();
    let report = timeout(PATIENCE, call.finished()).await.unwrap().unwrap();
    assert_eq!(report.ended, Ended::FarHangup);
    timeout(PATIENCE, caller.close()).await.unwrap();
    timeout(PATIENCE, callee.close()).await.unwrap();
}

#[tokio::test]
async fn many_calls_share_one_task() {
    let callee = phone(Some(Agent { talk: Some(ms(600)), ..agent(Then::Answer) })).await;
    let caller = phone(None).await;
    let mut calls = Vec::new();
    for _ in 0..40 {
        let mut plan = Plan::new(callee.local(), "100");
        plan.sound = Sound::Probe;
        plan.keep = false;
        calls.push(caller.call(plan));
    }
    for call in &mut calls {
        let report = timeout(PATIENCE, call.finished()).await.unwrap().unwrap();
        assert_eq!(report.ended, Ended::FarHangup);
        assert!(report.quality.packets >= 20, "{:?}", report.quality);
    }
}
