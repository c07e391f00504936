//! The configuration of one tenant as the cell sees it: one immutable, numbered snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::flow::Flow;
use crate::id::{AgentId, CalendarId, DeviceId, FlowId, PromptId, QueueId, TenantId};
use crate::media::ClipId;
use crate::number::DialString;
use crate::sip::{Callee, SipTarget};

/// Everything the floor of one tenant is configured with. Names are unique within their kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantConfig {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// The version; grows by one with every change.
    pub n: u64,
    /// IANA name of the tenant's time zone.
    pub zone: String,
    /// BCP 47 tag of the language when nothing else is known.
    pub language: String,
    /// Queues.
    pub queues: BTreeMap<QueueId, Queue>,
    /// Agents.
    pub agents: BTreeMap<AgentId, Agent>,
    /// Published flows.
    pub flows: BTreeMap<FlowId, PublishedFlow>,
    /// Dialled number to flow.
    pub numbers: BTreeMap<DialString, FlowId>,
    /// Prompts and music.
    pub prompts: BTreeMap<PromptId, Prompt>,
    /// Opening hours.
    pub calendars: BTreeMap<CalendarId, Calendar>,
    /// Results that a wrap-up may choose: code to label.
    pub dispositions: BTreeMap<String, String>,
    /// Reasons for a break: code to label.
    pub break_reasons: BTreeMap<String, String>,
}

impl TenantConfig {
    /// The telephones that register.
    pub fn phones(&self) -> impl Iterator<Item = DeviceId> {
        self.agents.values().filter_map(|agent| match agent.device {
            Device::Phone { device } => Some(device),
            Device::Browser | Device::Sip { .. } => None,
        })
    }
}

/// One queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// How agents are chosen.
    pub strategy: Strategy,
    /// Skills every contact of this queue asks for, with the least proficiency.
    #[serde(default)]
    pub skills: BTreeMap<String, u8>,
    /// How long an offer rings, milliseconds.
    pub ring_ms: i64,
    /// How long wrap-up lasts unless it is finished or extended, milliseconds; 0 for none.
    pub wrap_up_ms: i64,
    /// The name of the music prompt.
    pub music: String,
    /// Threshold of the service level, milliseconds.
    pub service_level_ms: i64,
    /// Leaving earlier than this is a short abandon, milliseconds.
    pub short_abandon_ms: i64,
    /// Most contacts that may wait.
    pub length_max: u32,
}

/// How a queue chooses among the eligible agents. Ties are broken by agent id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Whoever has been ready for the longest time.
    LongestReady,
}

/// One agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The name colleagues see.
    pub name: String,
    /// Queues this agent serves.
    pub queues: BTreeSet<QueueId>,
    /// Skill to proficiency, 1 to `limits::PROFICIENCY_MAX`.
    pub skills: BTreeMap<String, u8>,
    /// Where offers ring.
    pub device: Device,
    /// What telephones of the company dial to reach this agent, if anything.
    #[serde(default)]
    pub extension: Option<DialString>,
}

/// An agent's telephone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Device {
    /// The page itself: one leg, made at sign-in and kept.
    Browser,
    /// A SIP telephone at a fixed address: rung anew for each offer.
    Sip {
        /// Names the device.
        device: DeviceId,
        /// Where it is.
        target: SipTarget,
    },
    /// A SIP telephone that registers with the house: rung anew for each offer, while it is
    /// registered.
    Phone {
        /// Names the device.
        device: DeviceId,
    },
}

impl Device {
    /// Whom to ring; the page is not rung.
    #[must_use]
    pub fn callee(&self) -> Option<Callee> {
        match self {
            Self::Browser => None,
            Self::Sip { target, .. } => Some(Callee::At(target.clone())),
            Self::Phone { device } => Some(Callee::Phone(*device)),
        }
    }
}

/// A published flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedFlow {
    /// Its name.
    pub name: String,
    /// The published version.
    pub version: u64,
    /// The document, shared by the calls that began on it.
    pub flow: Arc<Flow>,
}

/// A prompt in its languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// The name flows use.
    pub name: String,
    /// BCP 47 tag to clip; [`EVERY_LANGUAGE`] serves every caller.
    pub variants: BTreeMap<String, Clip>,
}

/// The tag of a sound that serves every caller, music as a rule.
pub const EVERY_LANGUAGE: &str = "*";

/// The tags under which a prompt may serve a caller who speaks `language`, the best first; whoever
/// has no sound of their own language hears the company's.
#[must_use]
pub fn tongues<'a>(language: &'a str, company: &'a str) -> [&'a str; 5] {
    let base = |tag: &'a str| tag.split('-').next().unwrap_or(tag);
    [language, base(language), company, base(company), EVERY_LANGUAGE]
}

/// One normalised sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clip {
    /// Its digest and name.
    pub clip: ClipId,
    /// Its length in milliseconds.
    pub length_ms: u32,
}

/// Opening hours in a zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// Its name.
    pub name: String,
    /// IANA name of the zone; the tenant's when absent.
    #[serde(default)]
    pub zone: Option<String>,
    /// ISO weekday (1 Monday to 7 Sunday) to open intervals.
    pub week: BTreeMap<u8, Vec<Interval>>,
    /// Civil date (`2026-12-25`) to the intervals of that day; none means closed.
    #[serde(default)]
    pub exceptions: BTreeMap<String, Vec<Interval>>,
}

/// Open from and until, in minutes after civil midnight; `until_min` at most 1440.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// First open minute.
    pub from_min: u16,
    /// First minute that is closed again, greater than `from_min`.
    pub until_min: u16,
}
