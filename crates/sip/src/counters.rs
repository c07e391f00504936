//! What the SIP plane did, in numbers. Every refusal and every silent drop has a reason here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Why a message was refused or dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    TooLong,
    NotSip,
    Malformed,
    Version,
    UnknownMethod,
    MethodNotAllowed,
    UriScheme,
    Hops,
    Extension,
    ContentType,
    NotAcceptable,
    BadSdp,
    Untrusted,
    Rate,
    RateInside,
    Banned,
    NoDialog,
    Loop,
    Merged,
    Full,
    ShuttingDown,
    NotOurResponse,
    Sequence,
    Pending,
    NoSuchNumber,
    Digits,
    /// A request without proof of who sent it: challenged.
    Unproven,
    WrongSecret,
    LockedOut,
    /// A registration that is not carried out.
    Registration,
    /// Not refused: an OPTIONS that was answered without state.
    Answered,
}

const WHYS: [(Why, &str); 31] = [
    (Why::TooLong, "too_long"),
    (Why::NotSip, "not_sip"),
    (Why::Malformed, "malformed"),
    (Why::Version, "version"),
    (Why::UnknownMethod, "unknown_method"),
    (Why::MethodNotAllowed, "method_not_allowed"),
    (Why::UriScheme, "uri_scheme"),
    (Why::Hops, "too_many_hops"),
    (Why::Extension, "extension"),
    (Why::ContentType, "content_type"),
    (Why::NotAcceptable, "not_acceptable"),
    (Why::BadSdp, "bad_sdp"),
    (Why::Untrusted, "untrusted"),
    (Why::Rate, "rate"),
    (Why::RateInside, "rate_inside"),
    (Why::Banned, "banned"),
    (Why::NoDialog, "no_dialog"),
    (Why::Loop, "loop"),
    (Why::Merged, "merged"),
    (Why::Full, "full"),
    (Why::ShuttingDown, "shutting_down"),
    (Why::NotOurResponse, "not_our_response"),
    (Why::Sequence, "sequence"),
    (Why::Pending, "pending"),
    (Why::NoSuchNumber, "no_such_number"),
    (Why::Digits, "digits"),
    (Why::Unproven, "unproven"),
    (Why::WrongSecret, "wrong_secret"),
    (Why::LockedOut, "locked_out"),
    (Why::Registration, "registration"),
    (Why::Answered, "answered_stateless"),
];

/// A snapshot of the counters. Those without a unit in the name count since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams read, keep-alives and junk included.
    pub messages_in: u64,
    /// Datagrams written.
    pub messages_out: u64,
    /// Datagrams that the operating system would not take.
    pub send_failures: u64,
    /// Copies of a datagram that was read shortly before (lower bound).
    pub retransmissions_in: u64,
    /// Copies of a datagram that we wrote shortly before (lower bound).
    pub retransmissions_out: u64,
    /// Faults of ours that ended one leg, or cost one datagram.
    pub panics: u64,
    /// Times that a source was banned for a while.
    pub bans: u64,
    /// Refusals and drops by reason; every reason is present.
    pub refused: BTreeMap<&'static str, u64>,
    /// Legs that exist now, those that only wait for their last message included.
    pub legs: usize,
    /// Transactions that wait for an answer or an ACK of the far side now.
    pub unanswered: usize,
    /// Transactions that are remembered now, those included that only take in copies.
    pub transactions: usize,
    /// Events that wait for a slow reader now.
    pub events_waiting: usize,
    /// Telephones that are registered now.
    pub phones: usize,
    /// Connections that are open now.
    pub connections: usize,
}

/// The live counters.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) messages_in: AtomicU64,
    pub(crate) messages_out: AtomicU64,
    pub(crate) send_failures: AtomicU64,
    pub(crate) retransmissions_in: AtomicU64,
    pub(crate) retransmissions_out: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) bans: AtomicU64,
    pub(crate) legs: AtomicUsize,
    pub(crate) unanswered: AtomicUsize,
    pub(crate) transactions: AtomicUsize,
    pub(crate) events_waiting: AtomicUsize,
    pub(crate) phones: AtomicUsize,
    pub(crate) connections: AtomicUsize,
    refused: [AtomicU64; WHYS.len()],
}

impl Tally {
    pub(crate) fn refuse(&self, why: Why) {
        self.refused[why as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Counters {
        let reasons =
            WHYS.iter().map(|(why, name)| (*name, self.refused[*why as usize].load(Relaxed)));
        Counters {
            messages_in: self.messages_in.load(Relaxed),
            messages_out: self.messages_out.load(Relaxed),
            send_failures: self.send_failures.load(Relaxed),
            retransmissions_in: self.retransmissions_in.load(Relaxed),
            retransmissions_out: self.retransmissions_out.load(Relaxed),
            panics: self.panics.load(Relaxed),
            bans: self.bans.load(Relaxed),
            refused: reasons.collect(),
            legs: self.legs.load(Relaxed),
            unanswered: self.unanswered.load(Relaxed),
            transactions: self.transactions.load(Relaxed),
            events_waiting: self.events_waiting.load(Relaxed),
            phones: self.phones.load(Relaxed),
            connections: self.connections.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_reasons_is_in_the_order_of_the_enum() {
        for (place, (why, _)) in WHYS.iter().enumerate() {
            assert_eq!(*why as usize, place);
        }
    }
}
