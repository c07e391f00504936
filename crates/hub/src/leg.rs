//! One telephone leg as a small pure machine between the SIP plane, the media plane and the cell.
//!
//! The SIP plane knows dialogs, the media plane knows ports, the cell knows calls; this machine is
//! the only place where the three meet. It never waits: every input gives outputs at once.

use std::net::{IpAddr, Ipv4Addr};

use model::Input;
use model::id::{DeviceId, LegId, PartyId};
use model::media::{Direction, MediaCommand, MediaDesc, MediaFault, Peer};
use model::number::DialString;
use model::sip::{Callee, Caller, LegCause, SipCommand, SipEvent};
use model::time::Timestamp;

use crate::keys::Keys;

/// What a leg machine wants done. Order matters.
#[derive(Debug, Clone)]
pub(crate) enum LegOutput {
    /// For the SIP plane.
    Sip(SipCommand),
    /// For the media plane.
    Media(MediaCommand),
    /// For the cell.
    Cell(Input),
    /// The machine is finished and can be dropped.
    Finished,
}

/// A leg between INVITE and BYE.
#[derive(Debug)]
pub(crate) struct Leg {
    leg: LegId,
    state: State,
    /// Our description once media made a port.
    local: Option<MediaDesc>,
    /// Where the far side's SIP messages come from.
    source: IpAddr,
    /// The far side sends and does not want to hear, or neither: it holds.
    is_held: bool,
    /// A change of the session that the SIP plane has not settled yet.
    change: Option<Change>,
    keys: Keys,
}

/// A session as it will be if the far side takes our answer.
#[derive(Debug)]
struct Change {
    number: u32,
    local: MediaDesc,
    /// `None` where we offer: the answer comes with `Confirmed`.
    remote: Option<MediaDesc>,
    source: IpAddr,
}

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) enum CallingParty {
    /// A customer.
    Customer { party: PartyId, number: Option<DialString> },
    /// An agent's telephone, and it wants the house and no number of the company.
    Telephone(DeviceId),
}

#[derive(Debug)]
enum State {
    /// An INVITE waits for its port.
    Arriving { dialled: DialString, from: CallingParty },
    /// The cell knows of it; not answered yet.
    Offered,
    /// Our 200 is out; `late` when it carried the offer.
    Answered,
    /// We dial and wait for our port.
    Preparing { callee: Callee, caller: Caller },
    /// Our INVITE is out.
    Dialling,
    /// Media flows.
    Up,
    /// We asked to end it and wait for the last word of the SIP plane.
    Ending,
}

impl Leg {
    /// The leg of whoever calls, just arrived.
    pub(crate) fn incoming(
        leg: LegId,
        from: CallingParty,
        dialled: DialString,
        offer: Option<MediaDesc>,
        source: IpAddr,
    ) -> (Self, Vec<LegOutput>) {
        let state = State::Arriving { dialled, from };
        let remote = offer.map(|desc| Peer { desc, signalled_from: Some(source) });
        let prepare = MediaCommand::Prepare { leg, remote };
        (Self::new(leg, state, source), vec![LegOutput::Media(prepare)])
    }

    /// A leg to a device that we are about to ring.
    pub(crate) fn outgoing(
        leg: LegId,
        callee: Callee,
        caller: Option<DialString>,
    ) -> (Self, Vec<LegOutput>) {
        let caller = Caller { number: caller, name: None };
        let state = State::Preparing { callee, caller };
        let prepare = MediaCommand::Prepare { leg, remote: None };
        // Where it is shows with its answer.
        let source = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        (Self::new(leg, state, source), vec![LegOutput::Media(prepare)])
    }

    fn new(leg: LegId, state: State, source: IpAddr) -> Self {
        Self {
            leg,
            state,
            local: None,
            source,
            is_held: false,
            change: None,
            keys: Keys::default(),
        }
    }

    /// Media made a port.
    pub(crate) fn prepared(&mut self, local: MediaDesc) -> Vec<LegOutput> {
        self.local = Some(local.clone());
        let leg = self.leg;
        match std::mem::replace(&mut self.state, State::Offered) {
            State::Arriving { dialled, from } => vec![LegOutput::Cell(match from {
                CallingParty::Customer { party, number: caller } => {
                    Input::CallOffered { leg, caller, party, dialled }
                }
                CallingParty::Telephone(device) => Input::PhoneDialled { leg, device, dialled },
            })],
            State::Preparing { callee, caller } => {
                self.state = State::Dialling;
                vec![LegOutput::Sip(SipCommand::Dial { leg, callee, caller, local })]
            }
            other => {
                self.state = other;
                Vec::new()
            }
        }
    }

    /// Media could not make a port, or cannot send to where the far side is.
    pub(crate) fn prepare_failed(&mut self, why: MediaFault) -> Vec<LegOutput> {
        let leg = self.leg;
        match self.state {
            State::Arriving { .. } => {
                self.state = State::Ending;
                let (status, retry_after_s) = match why {
                    MediaFault::NoCodec | MediaFault::BadDescription => (488, None),
                    MediaFault::NoPort | MediaFault::Overloaded => (503, Some(5)),
                };
                vec![LegOutput::Sip(SipCommand::Reject { leg, status, retry_after_s })]
            }
            State::Preparing { .. } => {
                // Nobody was called yet: the house has no room, the telephone is not to blame.
                let cause = LegCause::InternalError;
                vec![LegOutput::Cell(Input::LegEnded { leg, cause }), LegOutput::Finished]
            }
            // What was agreed on can never be heard.
            State::Up => self.hang_up(LegCause::MediaTimeout),
            _ => Vec::new(),
        }
    }

    /// The cell answers whoever calls.
    pub(crate) fn answer(&mut self) -> Vec<LegOutput> {
        match (&self.state, &self.local) {
            (State::Offered, Some(local)) => {
                let local = local.clone();
                self.state = State::Answered;
                vec![LegOutput::Sip(SipCommand::Answer { leg: self.leg, local })]
            }
            _ => Vec::new(),
        }
    }

    /// The cell rings whom a telephone has called.
    pub(crate) fn ring(&self) -> Vec<LegOutput> {
        let ring = LegOutput::Sip(SipCommand::Ring { leg: self.leg });
        matches!(self.state, State::Offered).then_some(ring).into_iter().collect()
    }

    /// The cell says what became of a wish of the far side.
    pub(crate) fn refer(&self, refer: u32, status: u16) -> Vec<LegOutput> {
        let command = SipCommand::Refer { leg: self.leg, refer, status };
        matches!(self.state, State::Up).then_some(LegOutput::Sip(command)).into_iter().collect()
    }

    /// The cell refuses whoever calls.
    pub(crate) fn refuse(&mut self, status: u16) -> Vec<LegOutput> {
        let retry_after_s = (status == 503).then_some(5);
        self.state = State::Ending;
        vec![LegOutput::Sip(SipCommand::Reject { leg: self.leg, status, retry_after_s })]
    }

    /// The cell ends the leg.
    pub(crate) fn hang_up(&mut self, cause: LegCause) -> Vec<LegOutput> {
        let leg = self.leg;
        match self.state {
            State::Ending => Vec::new(),
            State::Preparing { .. } => {
                // Nothing was sent yet: it ends here, and the port that may still come is closed.
                self.state = State::Ending;
                vec![
                    LegOutput::Media(MediaCommand::Close { leg }),
                    LegOutput::Cell(Input::LegEnded { leg, cause }),
                    LegOutput::Finished,
                ]
            }
            _ => {
                self.state = State::Ending;
                vec![LegOutput::Sip(SipCommand::Hangup { leg, cause })]
            }
        }
    }

    /// The SIP plane reports. `Incoming` makes a leg and never comes here, nor does `Registered`,
    /// which is about none.
    pub(crate) fn sip(&mut self, now: Timestamp, event: SipEvent) -> Vec<LegOutput> {
        match event {
            // An offer rings by its own clock, whatever the telephone says.
            SipEvent::Incoming { .. } | SipEvent::Ringing { .. } | SipEvent::Registered { .. } => {
                Vec::new()
            }
            SipEvent::Answered { remote, source, .. } => match self.state {
                State::Dialling => {
                    self.source = source.ip();
                    self.up(Some(remote))
                }
                _ => Vec::new(),
            },
            SipEvent::Confirmed { remote, .. } => match self.state {
                State::Answered => self.up(remote),
                // The answer to an offer that the far side asked for.
                State::Up => self.agreed(remote),
                _ => Vec::new(),
            },
            SipEvent::Reoffered { change, offer, source, .. } => {
                self.reoffered(change, offer, source.ip())
            }
            SipEvent::ChangeEnded { change, taken, .. } => self.change_ended(change, taken),
            SipEvent::Digit { digit, .. } => {
                let counts = self.keys.info(now, digit);
                self.pressed(digit, counts)
            }
            SipEvent::Referred { leg, refer, to, replaces } => vec![match self.state {
                State::Up => LegOutput::Cell(Input::Referred { leg, refer, to, replaces }),
                _ => LegOutput::Sip(SipCommand::Refer { leg, refer, status: 491 }),
            }],
            SipEvent::Ended { cause, .. } => self.ended(cause),
        }
    }

    /// The media plane heard a key.
    pub(crate) fn key(&mut self, now: Timestamp, digit: char) -> Vec<LegOutput> {
        let counts = self.keys.rtp(now, digit);
        self.pressed(digit, counts)
    }

    fn pressed(&self, digit: char, counts: bool) -> Vec<LegOutput> {
        let input = Input::Digit { leg: self.leg, digit };
        counts.then_some(LegOutput::Cell(input)).into_iter().collect()
    }

    /// The SIP plane would not take our INVITE.
    pub(crate) fn not_dialled(&mut self) -> Vec<LegOutput> {
        let leg = self.leg;
        self.state = State::Ending;
        let cause = LegCause::InternalError;
        vec![
            LegOutput::Media(MediaCommand::Close { leg }),
            LegOutput::Cell(Input::LegEnded { leg, cause }),
            LegOutput::Finished,
        ]
    }

    fn up(&mut self, remote: Option<MediaDesc>) -> Vec<LegOutput> {
        let leg = self.leg;
        self.state = State::Up;
        let mut outputs = self.agreed(remote);
        outputs.insert(outputs.len().min(1), LegOutput::Cell(Input::LegUp { leg }));
        outputs
    }

    /// The far side answered our offer.
    fn agreed(&mut self, remote: Option<MediaDesc>) -> Vec<LegOutput> {
        let (Some(remote), Some(local)) = (remote, self.local.as_mut()) else { return Vec::new() };
        local.dtmf = remote.dtmf.and(local.dtmf);
        let local = local.clone();
        self.session(local, remote)
    }

    /// Tells media the session as it stands, and then the cell what is new about it.
    fn session(&mut self, local: MediaDesc, desc: MediaDesc) -> Vec<LegOutput> {
        if desc.dtmf.is_none() {
            self.keys.no_rtp();
        }
        let (leg, direction) = (self.leg, desc.direction);
        let is_held = matches!(direction, Direction::SendOnly | Direction::Inactive);
        let remote = Peer { desc, signalled_from: Some(self.source) };
        let mut outputs = vec![LegOutput::Media(MediaCommand::Remote { leg, local, remote })];
        if std::mem::replace(&mut self.is_held, is_held) != is_held {
            outputs.push(LegOutput::Cell(Input::LegHeld { leg, is_held }));
        }
        outputs
    }

    /// Answers a change. Media follows once the answer is out: a change that is cancelled leaves
    /// no trace (RFC 3261 section 14.1). One to addresses of the other family, which could not be
    /// heard, is refused, and the conversation goes on as it was.
    fn reoffered(
        &mut self,
        number: u32,
        offer: Option<MediaDesc>,
        source: IpAddr,
    ) -> Vec<LegOutput> {
        let leg = self.leg;
        let Some(standing) = &self.local else { return Vec::new() };
        if offer.as_ref().is_some_and(|offer| offer.address.is_ipv4() != standing.address.is_ipv4())
        {
            let status = 488;
            return vec![LegOutput::Sip(SipCommand::RefuseChange { leg, change: number, status })];
        }
        let local = match &offer {
            Some(offer) => standing.answering(offer),
            None => standing.offering(),
        };
        self.change = Some(Change { number, local: local.clone(), remote: offer, source });
        vec![LegOutput::Sip(SipCommand::Reanswer { leg, change: number, local })]
    }

    fn change_ended(&mut self, number: u32, taken: bool) -> Vec<LegOutput> {
        let change = self.change.take_if(|change| change.number == number);
        let Some(Change { local, remote, source, .. }) = change.filter(|_| taken) else {
            return Vec::new();
        };
        (self.local, self.source) = (Some(local.clone()), source);
        remote.map_or_else(Vec::new, |remote| self.session(local, remote))
    }

    fn ended(&mut self, cause: LegCause) -> Vec<LegOutput> {
        let leg = self.leg;
        let known = !matches!(self.state, State::Arriving { .. });
        let mut outputs = vec![LegOutput::Media(MediaCommand::Close { leg })];
        if known {
            outputs.push(LegOutput::Cell(Input::LegEnded { leg, cause }));
        }
        outputs.push(LegOutput::Finished);
        outputs
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use model::id::IdMint;
    use model::media::Codec;

    use super::*;

    fn desc(direction: Direction, codecs: &[Codec]) -> MediaDesc {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let codecs = codecs.to_vec();
        MediaDesc { address, port: 4_000, codecs, dtmf: Some(101), direction, ptime_ms: 20 }
    }

    const FROM: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), 5_060);
    const MOVED: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 8)), 5_060);

    const NOW: Timestamp = Timestamp::from_micros(1);

    fn leg_id() -> LegId {
        IdMint::new(1).mint(Timestamp::from_micros(1))
    }

    fn words(outputs: &[LegOutput]) -> Vec<String> {
        let word = |output: &LegOutput| {
            let text = match output {
                LegOutput::Sip(command) => format!("sip {command:?}"),
                LegOutput::Media(command) => format!("media {command:?}"),
                LegOutput::Cell(input) => format!("cell {input:?}"),
                LegOutput::Finished => "finished".to_owned(),
            };
            text.split([' ', '{']).take(2).collect::<Vec<_>>().join(" ")
        };
        outputs.iter().map(word).collect()
    }

    fn arrived() -> Leg {
        let party = IdMint::new(2).mint(Timestamp::from_micros(1));
        let from = CallingParty::Customer { party, number: None };
        let dialled: DialString = "100".parse().expect("dialable");
        let offer = Some(desc(Direction::SendRecv, &[Codec::Pcmu]));
        let (leg, outputs) = Leg::incoming(leg_id(), from, dialled, offer, FROM.ip());
        let [LegOutput::Media(MediaCommand::Prepare { remote: Some(remote), .. })] = &outputs[..]
        else {
            panic!("{outputs:?}")
        };
        assert_eq!(remote.signalled_from, Some(FROM.ip()));
        leg
    }

    #[test]
    fn a_customer_rings_is_answered_and_hangs_up() {
        let mut leg = arrived();
        let local = desc(Direction::SendRecv, &[Codec::Pcmu]);
        assert_eq!(words(&leg.prepared(local)), ["cell CallOffered"]);
        assert_eq!(words(&leg.answer()), ["sip Answer"]);
        assert_eq!(words(&leg.answer()), [""; 0], "answered once");
        let confirmed = SipEvent::Confirmed { leg: leg_id(), remote: None };
        assert_eq!(words(&leg.sip(NOW, confirmed)), ["cell LegUp"]);
        let ended = SipEvent::Ended { leg: leg_id(), cause: LegCause::FarHangup, status: None };
        assert_eq!(words(&leg.sip(NOW, ended)), ["media Close", "cell LegEnded", "finished"]);
    }

    #[test]
    fn a_caller_who_leaves_before_the_port_is_never_told_to_the_cell() {
        let mut leg = arrived();
        let ended = SipEvent::Ended { leg: leg_id(), cause: LegCause::Cancelled, status: None };
        assert_eq!(words(&leg.sip(NOW, ended)), ["media Close", "finished"]);
    }

    #[test]
    fn without_a_codec_the_offer_is_refused() {
        let mut leg = arrived();
        let outputs = leg.prepare_failed(MediaFault::NoCodec);
        assert!(matches!(
            outputs.as_slice(),
            [LegOutput::Sip(SipCommand::Reject { status: 488, .. })]
        ));
        let outputs = up().prepare_failed(MediaFault::BadDescription);
        assert_eq!(words(&outputs), ["sip Hangup"], "a session that can never be heard is ended");
    }

    fn up() -> Leg {
        let mut leg = arrived();
        leg.prepared(desc(Direction::SendRecv, &[Codec::Pcmu]));
        leg.answer();
        leg.sip(NOW, SipEvent::Confirmed { leg: leg_id(), remote: None });
        leg
    }

    #[test]
    fn whom_a_telephone_calls_is_rung_and_a_wish_of_a_leg_that_is_up_is_handed_in() {
        let mut leg = arrived();
        assert_eq!(words(&leg.ring()), [""; 0], "the cell does not know of it yet");
        leg.prepared(desc(Direction::SendRecv, &[Codec::Pcmu]));
        assert_eq!(words(&leg.ring()), ["sip Ring"]);
        let wish = || SipEvent::Referred {
            leg: leg_id(),
            refer: 2,
            to: "12".parse().expect("dialable"),
            replaces: None,
        };
        assert_eq!(words(&leg.sip(NOW, wish())), ["sip Refer"], "refused: it is not up");
        let mut leg = up();
        assert_eq!(words(&leg.ring()), [""; 0]);
        assert_eq!(words(&leg.sip(NOW, wish())), ["cell Referred"]);
        assert_eq!(words(&leg.refer(2, 200)), ["sip Refer"]);
        leg.hang_up(LegCause::Hangup);
        assert_eq!(words(&leg.refer(2, 200)), [""; 0], "nobody is there to be told");
    }

    #[test]
    fn a_telephone_of_the_house_is_no_customer() {
        let device = IdMint::new(3).mint(Timestamp::from_micros(1));
        let dialled: DialString = "*61".parse().expect("dialable");
        let offer = Some(desc(Direction::SendRecv, &[Codec::Pcmu]));
        let from = CallingParty::Telephone(device);
        let (mut leg, _) = Leg::incoming(leg_id(), from, dialled, offer, FROM.ip());
        let outputs = leg.prepared(desc(Direction::SendRecv, &[Codec::Pcmu]));
        assert_eq!(words(&outputs), ["cell PhoneDialled"]);
        assert_eq!(words(&leg.refuse(404)), ["sip Reject"]);
    }

    fn change_ended(leg: &mut Leg, change: u32, taken: bool) -> Vec<LegOutput> {
        leg.sip(NOW, SipEvent::ChangeEnded { leg: leg_id(), change, taken })
    }

    #[test]
    fn media_follows_a_change_once_the_answer_is_out() {
        let mut leg = up();
        let moved = MediaDesc { port: 6_000, ..desc(Direction::SendRecv, &[Codec::Pcma]) };
        let offer = |change| {
            let (leg, offer, source) = (leg_id(), Some(moved.clone()), MOVED);
            SipEvent::Reoffered { leg, change, offer, source }
        };
        assert_eq!(words(&leg.sip(NOW, offer(2))), ["sip Reanswer"]);
        assert_eq!(words(&change_ended(&mut leg, 2, false)), [""; 0], "the old session stands");
        assert_eq!(leg.local, Some(desc(Direction::SendRecv, &[Codec::Pcmu])));
        assert_eq!(words(&leg.sip(NOW, offer(3))), ["sip Reanswer"]);
        assert_eq!(words(&change_ended(&mut leg, 2, true)), [""; 0], "another change");
        let outputs = change_ended(&mut leg, 3, true);
        let [LegOutput::Media(MediaCommand::Remote { local, remote, .. })] = outputs.as_slice()
        else {
            panic!("{outputs:?}")
        };
        assert_eq!(remote, &Peer { desc: moved, signalled_from: Some(MOVED.ip()) });
        assert_eq!(local, &desc(Direction::SendRecv, &[Codec::Pcma]));
    }

    #[test]
    fn the_cell_hears_when_the_far_side_holds_and_when_it_is_back() {
        let mut leg = up();
        let mut change = 1;
        let mut turn = |leg: &mut Leg, direction| {
            change += 1;
            let offer = Some(desc(direction, &[Codec::Pcmu]));
            leg.sip(NOW, SipEvent::Reoffered { leg: leg_id(), change, offer, source: FROM });
            change_ended(leg, change, true)
        };
        let held = |outputs: &[LegOutput]| match outputs {
            [LegOutput::Media(_), LegOutput::Cell(Input::LegHeld { is_held, .. })] => {
                Some(*is_held)
            }
            [LegOutput::Media(_)] => None,
            _ => panic!("{outputs:?}"),
        };
        assert_eq!(held(&turn(&mut leg, Direction::SendOnly)), Some(true));
        assert_eq!(held(&turn(&mut leg, Direction::Inactive)), None, "still");
        assert_eq!(held(&turn(&mut leg, Direction::RecvOnly)), Some(false));
        assert_eq!(held(&turn(&mut leg, Direction::SendRecv)), None);
    }

    #[test]
    fn a_change_to_where_we_cannot_send_is_refused_and_changes_nothing() {
        let mut leg = up();
        let offer = MediaDesc {
            address: IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
            ..desc(Direction::SendRecv, &[Codec::Pcmu])
        };
        let source = FROM;
        let asked = SipEvent::Reoffered { leg: leg_id(), change: 2, offer: Some(offer), source };
        let outputs = leg.sip(NOW, asked);
        assert!(
            matches!(
                outputs.as_slice(),
                [LegOutput::Sip(SipCommand::RefuseChange { change: 2, status: 488, .. })]
            ),
            "{outputs:?}"
        );
        assert_eq!(words(&change_ended(&mut leg, 2, false)), [""; 0]);
        assert_eq!(leg.local, Some(desc(Direction::SendRecv, &[Codec::Pcmu])));
    }

    #[test]
    fn asked_for_an_offer_we_offer_everything_and_media_learns_the_answer() {
        let mut leg = up();
        let held = SipEvent::Reoffered {
            leg: leg_id(),
            change: 2,
            offer: Some(desc(Direction::SendOnly, &[Codec::Pcma])),
            source: FROM,
        };
        leg.sip(NOW, held);
        change_ended(&mut leg, 2, true);
        let ask = SipEvent::Reoffered { leg: leg_id(), change: 3, offer: None, source: MOVED };
        let outputs = leg.sip(NOW, ask);
        let [LegOutput::Sip(SipCommand::Reanswer { local, .. })] = outputs.as_slice() else {
            panic!("{outputs:?}")
        };
        assert_eq!(local, &desc(Direction::SendRecv, &Codec::ALL));
        assert_eq!(words(&change_ended(&mut leg, 3, true)), [""; 0], "nothing is agreed on yet");
        let answer = MediaDesc { port: 6_000, ..desc(Direction::SendRecv, &[Codec::Pcma]) };
        let remote = Some(answer.clone());
        let outputs = leg.sip(NOW, SipEvent::Confirmed { leg: leg_id(), remote });
        let [
            LegOutput::Media(MediaCommand::Remote { local, remote, .. }),
            LegOutput::Cell(Input::LegHeld { is_held: false, .. }),
        ] = outputs.as_slice()
        else {
            panic!("{outputs:?}")
        };
        assert_eq!(remote, &Peer { desc: answer, signalled_from: Some(MOVED.ip()) });
        assert_eq!(local, &desc(Direction::SendRecv, &Codec::ALL));
    }

    #[test]
    fn keys_by_info_count_though_the_telephone_lists_telephone_event() {
        let mut leg = up();
        let info = |digit| SipEvent::Digit { leg: leg_id(), digit };
        assert_eq!(words(&leg.sip(NOW, info('5'))), ["cell Digit"]);
        assert_eq!(words(&leg.key(NOW, '5')), [""; 0], "the same press by RTP");
        assert_eq!(words(&leg.key(NOW, '6')), ["cell Digit"]);
        assert_eq!(words(&leg.sip(NOW, info('6'))), [""; 0], "RTP brings them");
    }

    #[test]
    fn a_device_that_is_given_up_before_its_port_ends_at_once() {
        let device = IdMint::new(3).mint(NOW);
        let (mut leg, _) = Leg::outgoing(leg_id(), Callee::Phone(device), None);
        let outputs = leg.hang_up(LegCause::Hangup);
        assert_eq!(words(&outputs), ["media Close", "cell LegEnded", "finished"]);
    }
}
