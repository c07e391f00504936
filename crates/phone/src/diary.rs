//! The diary: what a telephone did and noticed, each with its time. The independent truth of tests.
//!
//! One JSON object per line. Times are microseconds UTC.

use std::sync::Arc;

use serde::Serialize;

use crate::chirp;
use crate::dialog::Ended;
use crate::voice::Quality;

/// One line.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// When.
    pub at: i64,
    /// Which call of this telephone, from 1.
    pub call: u64,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A SIP message went out.
    Sent {
        /// `INVITE`, `200 INVITE` ...
        message: String,
        /// A retransmission.
        again: bool,
    },
    /// A SIP message came in.
    Received {
        /// `INVITE`, `200 INVITE` ...
        message: String,
    },
    /// A call came in.
    Incoming {
        /// The far side's number.
        caller: String,
    },
    /// The far side rings.
    Ringing,
    /// The call is up.
    Answered,
    /// The first RTP packet came.
    FirstPacket,
    /// The first RTP packet that was not silence came.
    FirstSound,
    /// We pressed a key.
    Pressed {
        /// Which.
        key: char,
    },
    /// We began to speak at the moment that was planned.
    Spoke,
    /// The far side pressed a key.
    HeardKey {
        /// Which.
        key: char,
    },
    /// The far side changed the session: put us on hold, or back.
    Reoffered {
        /// Whether it still wants to hear us.
        open: bool,
    },
    /// The call is over.
    Over(Box<Report>),
}

/// The whole call in figures.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Which call of this telephone, from 1.
    pub call: u64,
    /// Whether this side began it.
    pub outgoing: bool,
    /// The Call-ID header.
    pub sip_call_id: String,
    /// Our number when we called, the far side's when we were called.
    pub caller: String,
    /// When INVITE was sent or came, microseconds UTC like all that follow.
    pub invited_at: i64,
    /// When the far side began to ring.
    pub ringing_at: Option<i64>,
    /// When it was answered.
    pub answered_at: Option<i64>,
    /// When it was over.
    pub ended_at: i64,
    /// How.
    pub ended: Ended,
    /// The keys that we pressed.
    pub pressed: String,
    /// The keys that the far side pressed.
    pub heard_keys: String,
    /// When the first RTP packet came.
    pub first_packet_at: Option<i64>,
    /// When the first sound came.
    pub first_sound_at: Option<i64>,
    /// When the first sample of our own sound was sent.
    pub sound_began_at: Option<i64>,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// The incoming stream.
    pub quality: Quality,
    /// When the first sample of `heard` came.
    pub heard_from: Option<i64>,
    /// What was heard, 8 kHz, if it was kept.
    #[serde(skip)]
    pub heard: Arc<[i16]>,
    /// Delays of probe packets, microseconds.
    #[serde(skip)]
    pub delays_us: Vec<u32>,
}

impl Report {
    /// A call that nothing is known of yet but who called, when, and how it ended.
    pub(crate) fn unborn(call: u64, caller: String, invited_at: i64, ended: Ended) -> Self {
        Self {
            call,
            outgoing: true,
            sip_call_id: String::new(),
            caller,
            invited_at,
            ringing_at: None,
            answered_at: None,
            ended_at: invited_at,
            ended,
            pressed: String::new(),
            heard_keys: String::new(),
            first_packet_at: None,
            first_sound_at: None,
            sound_began_at: None,
            packets_sent: 0,
            quality: Quality::default(),
            heard_from: None,
            heard: Arc::new([]),
            delays_us: Vec::new(),
        }
    }

    /// The codes in what was heard, each with the time it was first heard, microseconds UTC.
    #[must_use]
    pub fn codes(&self) -> Vec<(chirp::Code, i64)> {
        let mut first: Vec<(chirp::Code, i64)> = Vec::new();
        for heard in chirp::find(&self.heard) {
            if first.iter().all(|(code, _)| *code != heard.code) {
                first.push((heard.code, self.time_of(heard.at)));
            }
        }
        first
    }

    /// When the sample at this place was heard, microseconds UTC.
    #[must_use]
    pub fn time_of(&self, sample: usize) -> i64 {
        self.heard_from.unwrap_or(self.invited_at) + i64::try_from(sample).unwrap_or(0) * 125
    }

    /// The delays of the periods of `code` in what was heard, microseconds: `spoken_at` is when
    /// its speaker began. Known up to a whole period of 600 ms.
    #[must_use]
    pub fn delays_of(&self, code: chirp::Code, spoken_at: i64) -> Vec<i64> {
        let period_us = i64::try_from(chirp::PERIOD_SAMPLES).unwrap_or(1) * 125;
        chirp::find(&self.heard)
            .iter()
            .filter(|heard| heard.code == code)
            .map(|heard| (self.time_of(heard.at) - spoken_at).rem_euclid(period_us))
            .collect()
    }
}
