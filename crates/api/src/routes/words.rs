//! Closed lists of words in call records. Each is one type, so that the description of the API and
//! what is sent cannot differ.

use model::event::{CallOutcome, Consent};
use report::Stretch;
use serde::Serialize;
use utoipa::ToSchema;

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OutcomeName {
    Handled,
    Abandoned,
    LeftInFlow,
    FlowEnded,
    Refused,
    Failed,
}

/// What of a live call runs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunningName {
    Waiting,
    Talking,
    Hold,
}

/// Whether the caller agreed to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConsentName {
    Unasked,
    Given,
    Refused,
}

/// Where a fact comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FactName {
    Chosen,
    Typed,
}

/// Whose line of the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LaneName {
    Customer,
    Flow,
    Queue,
    Agent,
}

/// What a stretch of time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SegmentName {
    Ring,
    Connected,
    Node,
    Waiting,
    Offered,
    Talking,
    Hold,
    WrapUp,
    Lost,
    Consult,
}

/// What a point in time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MarkName {
    Chosen,
    Collected,
    Consent,
    RecordingStarted,
    RecordingEnded,
    WrapUpExtended,
    CallbackListed,
    Transferred,
    Redirected,
    HandedOver,
}

impl From<CallOutcome> for OutcomeName {
    fn from(outcome: CallOutcome) -> Self {
        match outcome {
            CallOutcome::Handled => Self::Handled,
            CallOutcome::Abandoned => Self::Abandoned,
            CallOutcome::LeftInFlow => Self::LeftInFlow,
            CallOutcome::FlowEnded => Self::FlowEnded,
            CallOutcome::Refused => Self::Refused,
            CallOutcome::Failed => Self::Failed,
        }
    }
}

impl From<Stretch> for RunningName {
    fn from(stretch: Stretch) -> Self {
        match stretch {
            Stretch::Waiting => Self::Waiting,
            Stretch::Talking => Self::Talking,
            Stretch::Hold => Self::Hold,
        }
    }
}

impl From<Consent> for ConsentName {
    fn from(consent: Consent) -> Self {
        match consent {
            Consent::Unasked => Self::Unasked,
            Consent::Given => Self::Given,
            Consent::Refused => Self::Refused,
        }
    }
}
