//! Refusals: somebody asked for what cannot be. A value with a code, never a panic.

use serde::{Deserialize, Serialize};

/// Why a command was not carried out. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No such call, offer, agent or queue in this tenant.
    #[error("there is no such thing here any more")]
    NotFound,
    /// The offer was taken back, ran out or belongs to somebody else.
    #[error("this offer is gone")]
    OfferGone,
    /// The command does not fit the state of its object.
    #[error("this cannot be done in the present state")]
    WrongState,
    /// The agent's telephone is not connected.
    #[error("the telephone of this agent is not connected")]
    NoDevice,
    /// The colleague takes no call at the moment.
    #[error("this colleague is not free")]
    NotFree,
    /// A named disposition, break reason or queue is not in the configuration.
    #[error("the configuration does not have this choice")]
    UnknownChoice,
    /// The cell is at a limit of `model::limits`.
    #[error("too many at once, try again shortly")]
    Overloaded,
    /// What was asked would not be saved in time; nothing was promised.
    #[error("the record is late, nothing was promised; try again")]
    NotSaved,
}

impl Refusal {
    /// The stable code of the API.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::OfferGone => "offer_gone",
            Self::WrongState => "wrong_state",
            Self::NoDevice => "no_device",
            Self::NotFree => "not_free",
            Self::UnknownChoice => "unknown_choice",
            Self::Overloaded => "overloaded",
            Self::NotSaved => "not_saved",
        }
    }
}
