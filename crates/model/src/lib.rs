//! The vocabulary of the house: ids, time, inputs, events, effects, media and SIP messages, limits.
//!
//! Every other crate speaks in these types; this one knows no behaviour beyond parsing and
//! printing its own values, and what answers a session description. Read `input`, `event` and
//! `effect` first: everything that arrives is an [`Input`], everything that happened an [`Event`],
//! everything to do an [`Effect`].

pub mod config;
pub mod domain;
pub mod effect;
pub mod event;
pub mod flow;
pub mod id;
pub mod input;
pub mod limits;
pub mod media;
pub mod number;
pub mod random;
pub mod refusal;
pub mod sip;
pub mod time;
pub mod view;

pub use config::TenantConfig;
pub use domain::Domain;
pub use effect::{Effect, Output, Plane, Topic};
pub use event::{Event, Recorded};
pub use id::{
    AgentId, CalendarId, CallId, DeviceId, FlowId, LegId, OfferId, PartyId, PlayId, PromptId,
    QueueEntryId, QueueId, RecordingId, RequestId, SecretId, TenantId, UserId,
};
pub use input::Input;
pub use media::Graph;
pub use number::{DialString, E164};
pub use refusal::Refusal;
pub use time::{Span, Timestamp};
