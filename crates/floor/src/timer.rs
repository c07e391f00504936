//! Timers as data: one ordered set of (time, reason).
//!
//! Invariant: a reason has at most one time; setting it again moves it.

use std::collections::{BTreeMap, BTreeSet};

use model::{AgentId, CallId, OfferId, QueueEntryId, Timestamp};
use serde::{Deserialize, Serialize};

/// Why the cell wants to be woken: the owner of the timer and its purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// An offer has rung for long enough.
    Ring(OfferId),
    /// An agent may be offered this contact again.
    Exclusion(QueueEntryId, AgentId),
    /// An agent whose telephone could not be rung may be offered contacts again.
    Rest(AgentId),
    /// The longest wait of the queue node.
    LongestWait(QueueEntryId),
    /// A caller is late with a key, or the media plane with the end of a play-out.
    Flow(CallId),
    /// A colleague who is asked in has rung for long enough.
    Consult(CallId),
    /// A telephone's call to the house itself is over, whatever it hears.
    Errand(CallId),
    /// The page of the talking agent did not come back.
    DeviceGrace(AgentId),
    /// The wrap-up is over.
    WrapUp(AgentId),
    /// The call is older than any call may be.
    CallAge(CallId),
}

/// All timers of a cell.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Timers {
    ordered: BTreeSet<(Timestamp, Reason)>,
    /// The same facts by reason; rebuilt from `ordered` when a snapshot is read.
    #[serde(skip)]
    by_reason: BTreeMap<Reason, Timestamp>,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Timestamp, reason: Reason) {
        self.clear(reason);
        self.ordered.insert((at, reason));
        self.by_reason.insert(reason, at);
    }

    pub(crate) fn clear(&mut self, reason: Reason) {
        self.restore();
        if let Some(at) = self.by_reason.remove(&reason) {
            self.ordered.remove(&(at, reason));
        }
    }

    pub(crate) fn first(&self) -> Option<(Timestamp, Reason)> {
        self.ordered.first().copied()
    }

    /// Takes the earliest timer that is due at `now`.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Option<Reason> {
        let (at, reason) = self.first()?;
        (at <= now).then(|| {
            self.clear(reason);
            reason
        })
    }

    fn restore(&mut self) {
        if self.by_reason.len() != self.ordered.len() {
            self.by_reason = self.ordered.iter().map(|&(at, reason)| (reason, at)).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::id::IdMint;

    #[test]
    fn a_reason_has_one_time_and_a_snapshot_keeps_it() {
        let call: CallId = IdMint::new(1).mint(Timestamp::default());
        let at = Timestamp::from_micros;
        let mut timers = Timers::default();
        timers.set(at(5), Reason::Flow(call));
        timers.set(at(3), Reason::CallAge(call));
        timers.set(at(9), Reason::Flow(call));
        assert_eq!(timers.first(), Some((at(3), Reason::CallAge(call))));

        let text = serde_json::to_string(&timers).unwrap();
        let mut timers: Timers = serde_json::from_str(&text).unwrap();
        timers.clear(Reason::CallAge(call));
        assert_eq!(timers.take_due(at(8)), None);
        assert_eq!(timers.take_due(at(9)), Some(Reason::Flow(call)));
        assert_eq!(timers.first(), None);
    }
}
