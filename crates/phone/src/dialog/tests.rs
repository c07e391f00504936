//! Two dialogs on a line that can lose messages: both always learn the same end.

use model::random::Random;

use super::*;

const SDP: &str = "v=0\r\n";

fn identity(port: u16, unique: &str) -> Identity {
    let local = SocketAddr::from(([127, 0, 0, 1], port));
    Identity { local, peer: local, unique: unique.to_owned() }
}

/// A caller and a callee on a line that loses every message with the given chance.
struct Pair {
    now_us: i64,
    caller: Dialog,
    callee: Option<Dialog>,
    wire: Vec<(bool, String)>,
    said: Vec<(bool, Output)>,
    chance: Random,
    loss_percent: u64,
}

impl Pair {
    fn new(sdp: Option<&str>, loss_percent: u64, seed: u64) -> Self {
        let from = ("+302105550100", Some("A \"B\""));
        let sdp = sdp.map(str::to_owned);
        let caller = Dialog::call(0, identity(1, "one"), "100@127.0.0.1", from, sdp);
        let chance = Random::new(seed);
        let (wire, said) = (Vec::new(), Vec::new());
        Self { now_us: 0, caller, callee: None, wire, said, chance, loss_percent }
    }

    fn settle(&mut self) {
        loop {
            while let Some(output) = self.caller.poll() {
                self.note(true, output);
            }
            while let Some(output) = self.callee.as_mut().and_then(Dialog::poll) {
                self.note(false, output);
            }
            if self.wire.is_empty() {
                return;
            }
            let (from_caller, datagram) = self.wire.remove(0);
            if self.chance.below(100) < self.loss_percent {
                continue;
            }
            let message = Message::parse(datagram.as_bytes()).expect("our own message");
            match (from_caller, &mut self.callee) {
                (true, None) => self.callee = Dialog::called(identity(2, "two"), &message),
                (true, Some(callee)) => callee.receive(self.now_us, &message),
                (false, _) => self.caller.receive(self.now_us, &message),
            }
        }
    }

    fn note(&mut self, caller: bool, output: Output) {
        match output {
            Output::Send { datagram, .. } => self.wire.push((caller, datagram)),
            output => self.said.push((caller, output)),
        }
    }

    /// Lets time pass until something was said that fits.
    fn until(&mut self, who: bool, fits: impl Fn(&Output) -> bool) {
        self.settle();
        while !self.said.iter().any(|(caller, said)| *caller == who && fits(said)) {
            self.step();
        }
    }

    fn step(&mut self) {
        self.now_us += 100_000;
        assert!(self.now_us < 200_000_000, "it never came: {:?}", self.said);
        self.caller.tick(self.now_us);
        if let Some(callee) = &mut self.callee {
            callee.tick(self.now_us);
        }
        self.settle();
    }

    fn callee(&mut self) -> &mut Dialog {
        self.callee.as_mut().expect("it was called")
    }

    fn ended(&self, who: bool) -> Vec<Ended> {
        let over = |(caller, said): &(bool, Output)| match said {
            Output::Over(ended) if *caller == who => Some(*ended),
            _ => None,
        };
        self.said.iter().filter_map(over).collect()
    }
}

fn up(output: &Output) -> bool {
    matches!(output, Output::Up(_))
}

fn over(output: &Output) -> bool {
    matches!(output, Output::Over(_))
}

#[test]
fn a_call_survives_a_bad_line() {
    for seed in 0..50 {
        let mut pair = Pair::new(Some(SDP), 30, seed);
        pair.settle();
        while pair.callee.is_none() {
            pair.step();
        }
        pair.callee().ring();
        let now = pair.now_us;
        pair.callee().answer(now, SDP.to_owned());
        pair.until(true, up);
        let now = pair.now_us;
        pair.caller.hang_up(now);
        pair.until(true, over);
        pair.until(false, over);
        assert_eq!(pair.ended(true), [Ended::HungUp], "seed {seed}");
        assert_eq!(pair.ended(false), [Ended::FarHangup], "seed {seed}");
    }
}

#[test]
fn cancel_ends_both_sides() {
    let mut pair = Pair::new(Some(SDP), 0, 0);
    pair.settle();
    pair.callee().ring();
    pair.caller.hang_up(0);
    pair.until(true, over);
    assert_eq!(pair.ended(true), [Ended::Cancelled]);
    assert_eq!(pair.ended(false), [Ended::Cancelled]);
    assert!(pair.caller.is_finished() && pair.callee().is_finished());
}

#[test]
fn an_answer_that_crosses_cancel_is_hung_up() {
    let mut pair = Pair::new(Some(SDP), 0, 0);
    pair.settle();
    pair.callee().answer(0, SDP.to_owned());
    // The CANCEL leaves before the 200 is seen.
    pair.caller.hang_up(0);
    pair.until(true, over);
    pair.until(false, over);
    assert_eq!(pair.ended(true), [Ended::HungUp]);
    assert_eq!(pair.ended(false), [Ended::FarHangup]);
}

#[test]
fn refusals_are_acknowledged() {
    let mut pair = Pair::new(Some(SDP), 0, 0);
    pair.settle();
    pair.callee().refuse(0, 486);
    pair.until(true, over);
    assert_eq!(pair.ended(true), [Ended::Refused(486)]);
    assert!(pair.callee().is_finished(), "the ACK came");
}

#[test]
fn a_late_offer_is_answered_in_ack() {
    let mut pair = Pair::new(None, 0, 0);
    pair.settle();
    pair.callee().answer(0, SDP.to_owned());
    pair.settle();
    pair.caller.send_ack(Some("answer".to_owned()));
    pair.until(false, |said| *said == Output::Answer("answer".to_owned()));
    assert!(!pair.callee().is_finished());
}

#[test]
fn a_session_is_changed_and_a_silent_peer_given_up() {
    let mut pair = Pair::new(Some(SDP), 0, 0);
    pair.settle();
    pair.callee().answer(0, SDP.to_owned());
    pair.until(true, up);
    pair.caller.reinvite(0, "hold".to_owned());
    pair.caller.reinvite(0, "back".to_owned());
    pair.until(false, |said| *said == Output::Reoffer(Some("hold".to_owned())));
    pair.callee().reanswer(0, "held".to_owned());
    pair.until(true, |said| *said == Output::Reanswered(Some("held".to_owned())));
    pair.until(false, |said| *said == Output::Reoffer(Some("back".to_owned())));
    pair.callee().reanswer(0, "there".to_owned());
    pair.until(true, |said| *said == Output::Reanswered(Some("there".to_owned())));
    pair.loss_percent = 100;
    let now = pair.now_us;
    pair.caller.hang_up(now);
    pair.until(true, over);
    assert_eq!(pair.ended(true), [Ended::Timeout]);
}
