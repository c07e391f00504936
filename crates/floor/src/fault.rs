//! Panics on demand, for the tests of the shell that has to survive them.
//!
//! Invariant: without the feature `faults` nothing of it is in the product.

use model::CallId;

use crate::cell::Cell;
use crate::timer::Reason;

/// What panics when it is about a caller of this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "faults", derive(serde::Serialize, serde::Deserialize))]
pub enum Fault {
    /// A key of the call.
    Key,
    /// Holding the call.
    Hold,
    /// A timer of the call or of its wrap-up.
    Timer,
    /// The end of the call after its timer failed.
    End,
}

#[cfg(feature = "faults")]
impl Cell {
    /// Lets `fault` happen to every call from `caller`.
    pub fn fail(&mut self, fault: Fault, caller: model::DialString) {
        self.faults.insert((fault, caller));
    }

    /// Nothing fails any more.
    pub fn mend(&mut self) {
        self.faults.clear();
    }

    pub(crate) fn stumble(&self, fault: Fault, call: CallId) {
        let caller = self.calls.get(&call).and_then(|call| call.caller.clone());
        self.stumble_at(fault, caller);
    }

    pub(crate) fn stumble_over(&self, fault: Fault, reason: Reason) {
        if let Reason::WrapUp(agent) = reason
            && let Some(crate::agent::Lease::WrapUp(wrap_up)) = self.lease_of(agent)
        {
            return self.stumble_at(fault, wrap_up.contact.caller.clone());
        }
        if let Some(call) = self.call_of_timer(reason) {
            self.stumble(fault, call);
        }
    }

    fn stumble_at(&self, fault: Fault, caller: Option<model::DialString>) {
        let wished = caller.is_some_and(|caller| self.faults.contains(&(fault, caller)));
        assert!(!wished, "a fault that a test wished for");
    }
}

#[cfg(not(feature = "faults"))]
#[expect(clippy::unused_self, reason = "the same questions as with the feature")]
impl Cell {
    pub(crate) const fn stumble(&self, _: Fault, _: CallId) {}

    pub(crate) const fn stumble_over(&self, _: Fault, _: Reason) {}
}
