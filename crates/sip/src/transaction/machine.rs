//! The four machines of RFC 3261 section 17, with the states for 2xx of RFC 6026: two for
//! requests that we received, two for those that we sent.
//!
//! Pure: time comes in as an argument, what is to be sent goes out as a result.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

/// The timers that all others follow from (RFC 3261 section 17.1.1.1, table 4).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timers {
    pub(crate) t1: Duration,
    /// The longest pause between two copies.
    pub(crate) t2: Duration,
    /// How long a message may stay in the network.
    pub(crate) t4: Duration,
}

impl Timers {
    /// T2 and T4 are to T1 what they are in the standard.
    pub(crate) fn new(t1: Duration) -> Self {
        Self { t1, t2: t1 * 8, t4: t1 * 10 }
    }

    /// Timers B, D, F, H, J and L.
    pub(crate) fn patience(self) -> Duration {
        self.t1 * 64
    }
}

/// What became of a deadline.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fired {
    /// It was not due.
    Nothing,
    /// Send this once more.
    Again(Bytes),
    /// The far side never answered, or never acknowledged a 2xx: the transaction is over.
    Unanswered,
    /// The transaction is over.
    Ended,
}

/// What a transaction is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) is_invite: bool,
    /// Its messages arrive, or the way is gone: nothing is said twice, and no copy is waited for.
    pub(crate) is_reliable: bool,
}

/// When the next copy is due, and when all is over.
#[derive(Debug, Clone, Copy, Default)]
struct Clock {
    interval: Duration,
    again: Option<Instant>,
    over: Option<Instant>,
}

impl Clock {
    fn repeat(now: Instant, timers: Timers) -> Self {
        let (again, over) = (Some(now + timers.t1), Some(now + timers.patience()));
        Self { interval: timers.t1, again, over }
    }

    fn rest(over: Instant) -> Self {
        Self { over: Some(over), ..Self::default() }
    }

    /// Until something comes back, with copies where those may help.
    fn wait(now: Instant, timers: Timers, kind: Kind) -> Self {
        match kind.is_reliable {
            true => Self::rest(now + timers.patience()),
            false => Self::repeat(now, timers),
        }
    }

    /// For as long as copies may come.
    fn linger(now: Instant, kind: Kind, time: Duration) -> Self {
        Self::rest(if kind.is_reliable { now } else { now + time })
    }

    fn due(&self) -> Option<Instant> {
        self.again.into_iter().chain(self.over).min()
    }

    /// Sets the next copy twice as far away as the last, at most `longest`.
    fn next(&mut self, now: Instant, longest: Option<Duration>) {
        self.interval *= 2;
        if let Some(longest) = longest {
            self.interval = self.interval.min(longest);
        }
        self.again = Some(now + self.interval);
    }
}

/// Where a request that we received is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// No final response was sent.
    Open,
    /// An INVITE got its final response, which is repeated until its ACK comes.
    Told,
    /// Copies of the request, and of the ACK, are taken in.
    Over,
}

/// A request that we received (RFC 3261 sections 17.2.1 and 17.2.2).
#[derive(Debug)]
pub(crate) struct Server {
    kind: Kind,
    state: Asked,
    succeeded: bool,
    /// What was said last.
    said: Option<Bytes>,
    clock: Clock,
}

impl Server {
    pub(crate) fn new(kind: Kind) -> Self {
        let (state, clock) = (Asked::Open, Clock::default());
        Self { kind, state, succeeded: false, said: None, clock }
    }

    /// Takes a response of ours. True when it is to be sent: nothing follows a final one.
    pub(crate) fn respond(
        &mut self,
        now: Instant,
        timers: Timers,
        status: u16,
        message: &Bytes,
    ) -> bool {
        if self.state != Asked::Open {
            return false;
        }
        self.said = Some(message.clone());
        if status >= 200 {
            self.succeeded = status < 300;
            let (state, clock) = match self.kind.is_invite {
                // A 2xx is repeated whatever carries it (section 13.3.1.4).
                true if self.succeeded => (Asked::Told, Clock::repeat(now, timers)),
                // Timers G and H.
                true => (Asked::Told, Clock::wait(now, timers, self.kind)),
                // Timer J.
                false => (Asked::Over, Clock::linger(now, self.kind, timers.patience())),
            };
            (self.state, self.clock) = (state, clock);
        }
        true
    }

    /// A copy of the request: what was said last is said again, but for a 2xx to an INVITE, which
    /// comes again by itself (RFC 6026 section 7.1).
    pub(crate) fn copied(&self) -> Option<Bytes> {
        let succeeds = self.state == Asked::Told && self.succeeded;
        self.said.clone().filter(|_| !succeeds)
    }

    /// Whether no final response was sent.
    pub(crate) fn is_open(&self) -> bool {
        self.state == Asked::Open
    }

    /// Whether an ACK is waited for.
    pub(crate) fn waits(&self) -> bool {
        self.state == Asked::Told
    }

    /// Whether the ACK belongs to this transaction and not to the dialog (section 17.1.1.3).
    pub(crate) fn was_refused(&self) -> bool {
        self.state != Asked::Open && !self.succeeded
    }

    /// The ACK came, or is of no more interest: copies of the INVITE are taken in until timer L is
    /// over, those of the ACK until timer I is.
    pub(crate) fn acked(&mut self, now: Instant, timers: Timers) {
        if self.state == Asked::Told {
            self.state = Asked::Over;
            self.said = None;
            let rest = if self.succeeded { timers.patience() } else { timers.t4 };
            self.clock = Clock::linger(now, self.kind, rest);
        }
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        self.clock.due()
    }

    pub(crate) fn fire(&mut self, now: Instant, timers: Timers) -> Fired {
        if self.clock.over.is_some_and(|at| at <= now) {
            // That a refusal was heard matters to nobody.
            let unheard = self.state == Asked::Told && self.succeeded;
            return if unheard { Fired::Unanswered } else { Fired::Ended };
        }
        match (&self.said, self.clock.again) {
            (Some(said), Some(at)) if at <= now => {
                let said = said.clone();
                self.clock.next(now, Some(timers.t2));
                Fired::Again(said)
            }
            _ => Fired::Nothing,
        }
    }
}

/// Where a request that we sent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// Nothing came back.
    Calling,
    /// Something provisional did.
    Proceeding,
    /// The final response came; its copies are taken in.
    Over,
}

/// What a response is to the transaction that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// News.
    New,
    /// The final response once more.
    Copy,
}

/// A request that we sent (RFC 3261 sections 17.1.1 and 17.1.2).
#[derive(Debug)]
pub(crate) struct Client {
    kind: Kind,
    state: Sent,
    /// The request; the ACK of a refusal once that came.
    message: Bytes,
    clock: Clock,
}

impl Client {
    /// The request was sent now.
    pub(crate) fn new(now: Instant, timers: Timers, kind: Kind, message: Bytes) -> Self {
        // Timers A and B, E and F.
        Self { kind, state: Sent::Calling, message, clock: Clock::wait(now, timers, kind) }
    }

    /// Nothing will come back.
    pub(crate) fn in_vain(&mut self, now: Instant) {
        self.clock = Clock::rest(now);
    }

    /// Whether a final response is waited for.
    pub(crate) fn waits(&self) -> bool {
        self.state != Sent::Over
    }

    /// What was sent last.
    pub(crate) fn message(&self) -> &Bytes {
        &self.message
    }

    /// The ACK of a refusal, to be sent again with each copy of that.
    pub(crate) fn acknowledge(&mut self, ack: Bytes) {
        self.message = ack;
    }

    /// A response came. A 2xx to an INVITE ends this transaction: its copies are the dialog's.
    pub(crate) fn response(&mut self, now: Instant, timers: Timers, status: u16) -> Heard {
        match (self.state, status) {
            (Sent::Over, _) => return Heard::Copy,
            (_, ..200) if self.kind.is_invite => {
                // How long it may ring is decided by who called (timer C).
                (self.state, self.clock) = (Sent::Proceeding, Clock::default());
            }
            (_, ..200) => self.state = Sent::Proceeding,
            _ => {
                let rest = if self.kind.is_invite { timers.patience() } else { timers.t4 };
                // Timers D and K.
                (self.state, self.clock) = (Sent::Over, Clock::linger(now, self.kind, rest));
            }
        }
        Heard::New
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        self.clock.due()
    }

    pub(crate) fn fire(&mut self, now: Instant, timers: Timers) -> Fired {
        if self.clock.over.is_some_and(|at| at <= now) {
            return if self.state == Sent::Over { Fired::Ended } else { Fired::Unanswered };
        }
        if self.clock.again.is_none_or(|at| now < at) {
            return Fired::Nothing;
        }
        if self.state == Sent::Proceeding {
            self.clock.interval = timers.t2;
        }
        self.clock.next(now, (!self.kind.is_invite).then_some(timers.t2));
        Fired::Again(self.message.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T1: Duration = Duration::from_millis(500);
    const INVITE: Kind = Kind { is_invite: true, is_reliable: false };
    const OTHER: Kind = Kind { is_invite: false, is_reliable: false };

    fn timers() -> Timers {
        Timers::new(T1)
    }

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    /// When copies go out, in milliseconds from `begin`, and how it ends.
    fn run(
        begin: Instant,
        mut due: impl FnMut() -> Option<Instant>,
        mut fire: impl FnMut(Instant) -> Fired,
    ) -> (Vec<u128>, u128, Fired) {
        let mut copies = Vec::new();
        loop {
            let at = due().expect("a deadline");
            match fire(at) {
                Fired::Again(_) => copies.push((at - begin).as_millis()),
                Fired::Nothing => panic!("due at {at:?} and nothing to do"),
                end => return (copies, (at - begin).as_millis(), end),
            }
        }
    }

    fn play<M>(
        begin: Instant,
        machine: &mut M,
        due: fn(&M) -> Option<Instant>,
        fire: fn(&mut M, Instant, Timers) -> Fired,
    ) -> (Vec<u128>, u128, Fired) {
        let cell = std::cell::RefCell::new(machine);
        run(begin, || due(&cell.borrow()), |at| fire(&mut cell.borrow_mut(), at, timers()))
    }

    #[test]
    fn an_invite_is_repeated_at_growing_distance_and_given_up_after_64_t1() {
        let now = Instant::now();
        let mut client = Client::new(now, timers(), INVITE, bytes("INVITE"));
        let (copies, end, how) = play(now, &mut client, Client::due, Client::fire);
        assert_eq!(copies, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
        assert_eq!((end, how), (32_000, Fired::Unanswered));
    }

    #[test]
    fn another_request_is_repeated_every_t2_at_most() {
        let now = Instant::now();
        let mut client = Client::new(now, timers(), OTHER, bytes("BYE"));
        let (copies, end, how) = play(now, &mut client, Client::due, Client::fire);
        assert_eq!(copies[..5], [500, 1_500, 3_500, 7_500, 11_500]);
        assert_eq!((copies.len(), end, how), (10, 32_000, Fired::Unanswered));
        let mut client = Client::new(now, timers(), OTHER, bytes("BYE"));
        assert_eq!(client.response(now, timers(), 100), Heard::New);
        assert!(matches!(client.fire(now + T1, timers()), Fired::Again(_)));
        assert_eq!(client.due(), Some(now + T1 + timers().t2), "something provisional came");
        assert_eq!(client.response(now + T1, timers(), 200), Heard::New);
        assert_eq!(client.response(now + T1, timers(), 200), Heard::Copy);
        assert_eq!(client.fire(now + T1 + timers().t4, timers()), Fired::Ended);
    }

    #[test]
    fn a_ringing_invite_waits_and_a_refused_one_keeps_its_ack() {
        let now = Instant::now();
        let mut client = Client::new(now, timers(), INVITE, bytes("INVITE"));
        assert_eq!(client.response(now, timers(), 180), Heard::New);
        assert_eq!((client.due(), client.waits()), (None, true));
        assert_eq!(client.response(now, timers(), 486), Heard::New);
        client.acknowledge(bytes("ACK"));
        assert_eq!(client.response(now, timers(), 486), Heard::Copy);
        assert_eq!((client.message(), client.waits()), (&bytes("ACK"), false));
        assert_eq!(client.fire(now + T1 * 64, timers()), Fired::Ended);
    }

    #[test]
    fn the_answer_to_an_invite_is_repeated_until_its_ack() {
        for (status, rest) in [(200, T1 * 64), (486, timers().t4)] {
            let now = Instant::now();
            let mut server = Server::new(INVITE);
            assert!(server.respond(now, timers(), 100, &bytes("100")));
            assert_eq!((server.due(), server.copied()), (None, Some(bytes("100"))));
            assert!(server.respond(now, timers(), status, &bytes("final")));
            assert!(!server.respond(now, timers(), 500, &bytes("late")), "nothing follows it");
            assert!(server.waits());
            assert_eq!(server.copied().is_some(), status == 486);
            let (copies, end, how) = play(now, &mut server, Server::due, Server::fire);
            assert_eq!(copies[..5], [500, 1_500, 3_500, 7_500, 11_500]);
            assert_eq!(end, 32_000);
            assert_eq!(how == Fired::Unanswered, status == 200);
            server.acked(now, timers());
            assert_eq!((server.waits(), server.copied()), (false, None));
            assert_eq!(server.was_refused(), status == 486);
            assert_eq!(server.due(), Some(now + rest));
            assert_eq!(server.fire(now + rest, timers()), Fired::Ended);
        }
    }

    #[test]
    fn the_answer_to_another_request_is_kept_for_its_copies() {
        let now = Instant::now();
        let mut server = Server::new(OTHER);
        assert_eq!(server.copied(), None, "nothing was said yet");
        assert!(server.respond(now, timers(), 200, &bytes("200")));
        assert_eq!((server.waits(), server.copied()), (false, Some(bytes("200"))));
        let (copies, end, how) = play(now, &mut server, Server::due, Server::fire);
        assert_eq!((copies, end, how), (Vec::new(), 32_000, Fired::Ended));
    }

    #[test]
    fn over_a_stream_nothing_is_said_twice_but_a_2xx() {
        let now = Instant::now();
        for is_invite in [true, false] {
            let kind = Kind { is_invite, is_reliable: true };
            let mut client = Client::new(now, timers(), kind, bytes("request"));
            let (copies, end, how) = play(now, &mut client, Client::due, Client::fire);
            assert_eq!((copies, end, how), (Vec::new(), 32_000, Fired::Unanswered));
            let mut client = Client::new(now, timers(), kind, bytes("request"));
            assert_eq!(client.response(now, timers(), 486), Heard::New);
            assert_eq!(client.fire(now, timers()), Fired::Ended);
        }
        let kind = Kind { is_invite: true, is_reliable: true };
        for (status, copies) in [(200, 10), (486, 0)] {
            let mut server = Server::new(kind);
            assert!(server.respond(now, timers(), status, &bytes("final")));
            let (found, end, _) = play(now, &mut server, Server::due, Server::fire);
            assert_eq!((found.len(), end), (copies, 32_000), "{status}");
            server.acked(now, timers());
            assert_eq!(server.fire(now, timers()), Fired::Ended);
        }
        let mut server = Server::new(Kind { is_invite: false, is_reliable: true });
        assert!(server.respond(now, timers(), 200, &bytes("200")));
        assert_eq!(server.fire(now, timers()), Fired::Ended);
    }
}
