//! The shell around the cell: legs, media, and reports that come late, twice or never.
//!
//! Invariant: whatever is lost is noticed by somebody later, as in the real shell: a lost hang-up
//! by silence on the line, a lost answer by the missing acknowledgement.

use model::media::{Graph, Hears};
use model::sip::{Callee, LegCause};
use model::{AgentId, CallId, Effect, Input, LegId, PlayId, Span};

use super::{Happening, World};
use crate::trace::Failure;

/// Silence after which a dead leg is noticed.
const MEDIA_TIMEOUT: Span = Span::from_secs(30);
/// Time after which an answer that nobody acknowledged is given up (RFC 3261, 64 x T1).
const NO_ACK: Span = Span::from_secs(32);

/// A SIP telephone that was dialled, or dialled the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DeskLeg {
    pub(super) agent: AgentId,
    pub(super) up: bool,
}

impl World {
    pub(super) fn react_to_effect(&mut self, effect: &Effect) {
        match effect {
            Effect::Answer { leg } => {
                let at = if self.scenario.plain_queue { self.now } else { self.soon(80) };
                self.agenda.add(at, Happening::Up(*leg));
            }
            Effect::Refuse { leg, .. } => {
                self.customers.remove(leg);
                self.desk_legs.remove(leg);
            }
            Effect::Dial { leg, callee, .. } => self.dial(*leg, callee),
            Effect::Hangup { leg, .. } => self.hang_up(*leg),
            Effect::Media { call, graph, .. } => self.apply_graph(*call, graph),
            Effect::MediaEnd { call } => {
                self.graphs.remove(call);
            }
            // Keys are said of flows that ask for secrets; the example tenant's asks for none. What
            // a telephone is told of whom it calls, and of its wishes, makes no difference to it.
            Effect::Keys { .. }
            | Effect::Ring { .. }
            | Effect::Refer { .. }
            | Effect::SaveFact { .. }
            | Effect::SaveIntent { .. }
            | Effect::SaveNote { .. }
            | Effect::ListCallback { .. }
            | Effect::Reply { .. } => {}
        }
    }

    /// Tells the cell within `most_ms`, unless it is lost; late and twice as the faults have it.
    pub(super) fn tell(&mut self, most_ms: i64, input: Input, if_lost: Option<(Span, Input)>) {
        let faults = self.scenario.faults;
        if self.chance(faults.lost) {
            if let Some((after, instead)) = if_lost {
                self.agenda.add(self.now + after, Happening::Tell(instead));
            }
            return;
        }
        let most_ms = if self.chance(faults.late) { 5_000 } else { most_ms };
        let at = self.soon(most_ms);
        if self.chance(faults.duplicated) {
            let again = at + Span::from_micros(self.below(3_000_000));
            self.agenda.add(again, Happening::Tell(input.clone()));
        }
        self.agenda.add(at, Happening::Tell(input));
    }

    /// Tells the cell that a leg is over.
    pub(super) fn leg_over(&mut self, leg: LegId, cause: LegCause) {
        let noticed = Input::LegEnded { leg, cause: LegCause::MediaTimeout };
        self.tell(0, Input::LegEnded { leg, cause }, Some((MEDIA_TIMEOUT, noticed)));
    }

    pub(super) fn customer_up(&mut self, leg: LegId) -> Result<(), Failure> {
        let given_up = Input::LegEnded { leg, cause: LegCause::NoAck };
        let Some(customer) = self.customers.get_mut(&leg) else {
            // A telephone that dialled the house.
            if self.desk_legs.contains_key(&leg) {
                self.tell(0, Input::LegUp { leg }, Some((NO_ACK, given_up)));
            }
            return Ok(());
        };
        customer.up = true;
        if self.scenario.plain_queue {
            return self.feed(Input::LegUp { leg });
        }
        self.tell(0, Input::LegUp { leg }, Some((NO_ACK, given_up)));
        Ok(())
    }

    fn dial(&mut self, leg: LegId, callee: &Callee) {
        let mut agents = self.config.agents.iter();
        let rung = agents.find(|(_, agent)| agent.device.callee().as_ref() == Some(callee));
        let Some(agent) = rung.map(|(id, _)| *id) else { return };
        // Its registration ended while it was chosen.
        if let Callee::Phone(device) = callee
            && !self.phones.contains(device)
        {
            self.tell(0, Input::LegEnded { leg, cause: LegCause::Unreachable }, None);
            return;
        }
        self.desk_legs.insert(leg, DeskLeg { agent, up: false });
        self.rings_at_desk(agent, leg);
    }

    fn hang_up(&mut self, leg: LegId) {
        let known = self.desk_legs.remove(&leg).is_some();
        if self.customers.contains_key(&leg) {
            self.write_diary(leg);
            self.customers.remove(&leg);
        } else if !known {
            return;
        }
        // That it is over is no news to the cell, so its loss has no consequence.
        self.tell(50, Input::LegEnded { leg, cause: LegCause::Hangup }, None);
    }

    fn apply_graph(&mut self, call: CallId, graph: &Graph) {
        let on_errand = || graph.hears.keys().find(|leg| self.desk_legs.contains_key(leg));
        if let Some(leg) = self.calls.get(&call).or_else(on_errand).copied() {
            let before = self.graphs.get(&call).and_then(|graph| graph.hears.get(&leg)).cloned();
            let hears = graph.hears.get(&leg);
            if before.as_ref() != hears
                && let Some(hears) = hears
            {
                if let Hears::Play { play, clips } = hears {
                    let length = self.length_of(clips);
                    let ends = Happening::PlayEnds(call, leg, *play);
                    self.agenda.add(self.now + length, ends);
                }
                self.customer_hears(call, leg, hears);
            }
        }
        self.graphs.insert(call, graph.clone());
    }

    fn length_of(&self, clips: &[model::media::ClipId]) -> Span {
        let length_ms = |clip| {
            let mut variants = self.config.prompts.values().flat_map(|p| p.variants.values());
            variants.find(|variant| variant.clip == clip).map_or(0, |v| i64::from(v.length_ms))
        };
        Span::from_millis(clips.iter().map(|clip| length_ms(*clip)).sum())
    }

    pub(super) fn play_ends(
        &mut self,
        call: CallId,
        leg: LegId,
        ended: PlayId,
    ) -> Result<(), Failure> {
        let hears = self.graphs.get(&call).and_then(|graph| graph.hears.get(&leg));
        if matches!(hears, Some(Hears::Play { play, .. }) if *play == ended) {
            self.tell(0, Input::PlayEnded { call, play: ended }, None);
        } else if self.chance(self.scenario.faults.late) {
            // The end and the next graph crossed on their way.
            return self.feed(Input::PlayEnded { call, play: ended });
        }
        Ok(())
    }
}
