//! Seeded faults, for the simulator's own test: each of its invariants must catch one at least.
//!
//! Invariant: without the feature `mutations` every question is answered `false` at compile time,
//! so the product carries neither the switch nor the faults.

use crate::Cell;

/// A fault that can be switched on. Each is one line at the place where it would really happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "mutations", derive(serde::Serialize, serde::Deserialize))]
pub enum Mutation {
    /// An offer rings without a timer.
    LostRingTimer,
    /// A wrap-up begins without a timer.
    LostWrapUpTimer,
    /// An agent who is being offered a contact stays in the ready index.
    DoubleOffer,
    /// The agent who became ready last is chosen.
    WrongTieBreak,
    /// The contact that came last goes first.
    LifoQueue,
    /// The caller leaves while offered and the offer rings on.
    ForgottenCancel,
    /// A contact that was not answered goes to the end of the queue.
    LostQueuePlace,
    /// An agent who finishes wrap-up is not matched.
    SkippedMatch,
    /// The end of a wait is written twice.
    DoubleOutcome,
    /// The loss of an agent's telephone leaves the lease in place.
    StuckAgent,
    /// An agent's state that is found unchanged takes a number in the journal all the same.
    SkippedNumber,
    /// A caller who refuses is recorded like one who agrees.
    RecordedRefusal,
    /// Hold is told and the customer hears the agent on.
    HeardOnHold,
    /// A command that is refused gets no reply.
    SilentRefusal,
    /// A wait that its time limit ends is not counted.
    UncountedTimeout,
    /// The page of an agent whom the tenant does not have is let in.
    StrangersPage,
    /// The end of a call leaves the timer of its greatest age.
    ForgottenTimer,
    /// The end of a call leaves its leg among those that are known.
    ForgottenLeg,
    /// Who misses an offer is unready, and that is not saved for the next start.
    UnsavedIntent,
    /// The end of a consultation leaves the colleague's lease in place.
    StuckColleague,
    /// A telephone that is on an errand is rung.
    RungOnErrand,
}

impl Mutation {
    /// Every fault, in a fixed order.
    pub const ALL: [Self; 21] = [
        Self::LostRingTimer,
        Self::LostWrapUpTimer,
        Self::DoubleOffer,
        Self::WrongTieBreak,
        Self::LifoQueue,
        Self::ForgottenCancel,
        Self::LostQueuePlace,
        Self::SkippedMatch,
        Self::DoubleOutcome,
        Self::StuckAgent,
        Self::SkippedNumber,
        Self::RecordedRefusal,
        Self::HeardOnHold,
        Self::SilentRefusal,
        Self::UncountedTimeout,
        Self::StrangersPage,
        Self::ForgottenTimer,
        Self::ForgottenLeg,
        Self::UnsavedIntent,
        Self::StuckColleague,
        Self::RungOnErrand,
    ];
}

#[cfg(feature = "mutations")]
impl Cell {
    /// Switches one fault on, for the rest of this cell's life.
    pub fn mutate(&mut self, mutation: Mutation) {
        self.mutations.insert(mutation);
    }

    pub(crate) fn mutated(&self, mutation: Mutation) -> bool {
        self.mutations.contains(&mutation)
    }
}

#[cfg(not(feature = "mutations"))]
impl Cell {
    #[expect(clippy::unused_self, reason = "the same question as with the feature")]
    pub(crate) const fn mutated(&self, _: Mutation) -> bool {
        false
    }
}
