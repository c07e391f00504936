//! One call of the exchange: its dialog, its audio, and what its plan wants next.
//!
//! A line decides when; the exchange does.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use media::rtp;
use model::media::{Codec, Direction, MediaDesc};
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

use crate::chirp::{self, Code, PERIOD_SAMPLES};
use crate::dialog::{Dialog, Ended};
use crate::diary::Report;
use crate::exchange;
use crate::exchange::{locked, stop};
use crate::plan::{Agent, Moment, Plan, Then};
use crate::sdp::KEYS_PAYLOAD_TYPE;
use crate::voice::{Ear, Mouth};

/// A sound that begins so soon after a key is the end of what was cut short by it.
const ECHO_US: i64 = 200_000;
/// How often a line that waits for a code listens for it.
const LISTEN_US: i64 = 250_000;
/// How much it listens to: three periods.
const LISTEN_SAMPLES: usize = 3 * PERIOD_SAMPLES;

/// Why there is a call.
#[derive(Debug)]
pub(crate) enum Role {
    /// We call.
    Caller(Box<Plan>),
    /// We were called.
    Agent(Agent),
}

/// What the plan wants now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Press a key.
    Press(char),
    /// Begin to speak.
    Speak,
    /// End the call, in whatever state it is.
    HangUp,
    /// It has rung long enough.
    Then(Then),
}

/// The audio of a call.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) socket: Arc<UdpSocket>,
    pub(crate) local: SocketAddr,
    pub(crate) target: Option<SocketAddr>,
    pub(crate) codec: Codec,
    pub(crate) mouth: Mouth,
    pub(crate) ear: Arc<Mutex<Ear>>,
    pub(crate) task: AbortHandle,
}

impl Leg {
    /// Our description.
    pub(crate) fn describe(&self, codecs: &[Codec], direction: Direction) -> MediaDesc {
        MediaDesc {
            address: self.local.ip(),
            port: self.local.port(),
            codecs: codecs.to_vec(),
            dtmf: Some(KEYS_PAYLOAD_TYPE),
            direction,
            ptime_ms: 20,
        }
    }
}

/// One call.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) dialog: Dialog,
    pub(crate) role: Role,
    pub(crate) leg: Option<Leg>,
    pub(crate) offer: Option<String>,
    pub(crate) deadline: Option<i64>,
    pub(crate) ringing_us: Option<i64>,
    pub(crate) answered_us: Option<i64>,
    pub(crate) ended: Option<i64>,
    pub(crate) first_packet_us: Option<i64>,
    pub(crate) pressed: String,
    pub(crate) heard_keys: String,
    invited_us: i64,
    keys: VecDeque<(Moment, char)>,
    /// When the last key of the plan was pressed.
    pressed_us: i64,
    /// When a sound began that is newer than that.
    sound_us: Option<i64>,
    /// When the code was heard that the plan waits for.
    chirp: Option<(Code, i64)>,
    listened_us: i64,
    /// When the plan let us begin to speak.
    spoke_us: Option<i64>,
    /// Ring time and patience are looked at once.
    decided: bool,
    leaving: bool,
}

impl Line {
    pub(crate) fn new(now: i64, dialog: Dialog, role: Role, mut leg: Leg) -> Self {
        let keys = match &role {
            Role::Caller(plan) => plan.keys.iter().copied().collect(),
            Role::Agent(_) => VecDeque::new(),
        };
        leg.mouth.speaking = match &role {
            Role::Caller(plan) => plan.say_from.is_none(),
            Role::Agent(_) => true,
        };
        Self {
            dialog,
            role,
            leg: Some(leg),
            offer: None,
            deadline: None,
            ringing_us: None,
            answered_us: None,
            ended: None,
            first_packet_us: None,
            pressed: String::new(),
            heard_keys: String::new(),
            invited_us: now,
            keys,
            pressed_us: now,
            sound_us: None,
            chirp: None,
            listened_us: now,
            spoke_us: None,
            decided: false,
            leaving: false,
        }
    }

    /// Where SIP messages of this call go.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.dialog.peer()
    }

    /// Takes the far side's description.
    pub(crate) fn agree(&mut self, desc: &MediaDesc) {
        let Some(leg) = &mut self.leg else { return };
        leg.target = (desc.port != 0).then(|| SocketAddr::new(desc.address, desc.port));
        leg.codec = desc.codecs.first().copied().unwrap_or(leg.codec);
        leg.mouth.agree(leg.codec, desc.dtmf);
        leg.mouth.open = matches!(desc.direction, Direction::SendRecv | Direction::RecvOnly);
        locked(&leg.ear).agree(desc.dtmf);
    }

    /// Sends the packet of this turn.
    pub(crate) fn speak(&mut self, now: i64) {
        let Some(leg) = &mut self.leg else { return };
        let mute = matches!(&self.role, Role::Caller(plan) if plan.mute);
        if self.answered_us.is_none() || !leg.mouth.open || mute {
            return;
        }
        if let Some(target) = leg.target {
            let mut packet = [0; rtp::PACKET_BYTES_MAX];
            let length = leg.mouth.frame(now, &mut packet);
            exchange::send(&leg.socket, &packet[..length], target);
        }
    }

    /// What the plan wants now, if anything. Each wish is uttered once.
    pub(crate) fn next_step(&mut self, now: i64) -> Option<Step> {
        if self.ended.is_some() || self.leaving {
            return None;
        }
        let Some(answered) = self.answered_us else { return self.before_answer(now) };
        self.listen(now);
        if let Some((moment, key)) = self.keys.front().copied() {
            if !self.is_due(now, answered, moment) {
                return None;
            }
            self.keys.pop_front();
            self.pressed_us = now;
            self.sound_us = None;
            return Some(Step::Press(key));
        }
        let step = match &self.role {
            Role::Caller(plan) => self.after_keys(now, answered, plan),
            Role::Agent(agent) => {
                agent.talk.filter(|talk| now >= answered + micros(*talk)).map(|_| Step::HangUp)
            }
        };
        match step {
            Some(Step::Speak) => {
                (self.spoke_us, self.pressed_us, self.sound_us) = (Some(now), now, None);
            }
            Some(Step::HangUp) => self.leaving = true,
            _ => {}
        }
        step
    }

    fn after_keys(&self, now: i64, answered: i64, plan: &Plan) -> Option<Step> {
        let passed = |from: i64, after: Option<Duration>| {
            after.is_some_and(|after| now >= from + micros(after))
        };
        let leave = plan.hang_up.is_some_and(|moment| self.is_due(now, answered, moment));
        let leave = leave
            || match (plan.say_from, self.spoke_us) {
                (Some(moment), None) if self.is_due(now, answered, moment) => {
                    return Some(Step::Speak);
                }
                (Some(_), None) => passed(answered, plan.patience),
                (Some(_), Some(spoke)) => passed(spoke, plan.talk),
                (None, _) => false,
            };
        leave.then_some(Step::HangUp)
    }

    fn before_answer(&mut self, now: i64) -> Option<Step> {
        if self.decided {
            return None;
        }
        let (after, step) = match &self.role {
            Role::Caller(plan) => (plan.cancel_after?, Step::HangUp),
            Role::Agent(agent) => (agent.ring, Step::Then(agent.then)),
        };
        self.decided = now >= self.invited_us + micros(after);
        self.decided.then_some(step)
    }

    /// Notes sounds that are newer than the last key, and the code that is waited for.
    fn listen(&mut self, now: i64) {
        let last = match &self.role {
            Role::Caller(plan) => {
                plan.say_from.filter(|_| self.spoke_us.is_none()).or(plan.hang_up)
            }
            Role::Agent(_) => None,
        };
        let waited_for = match self.keys.front().map(|(moment, _)| *moment).or(last) {
            Some(Moment::Chirp(code, _)) => Some(code),
            _ => None,
        };
        let Some(leg) = &self.leg else { return };
        let ear = locked(&leg.ear);
        if let Some(loud) = ear.loud_us.filter(|loud| *loud > self.pressed_us + ECHO_US) {
            self.sound_us.get_or_insert(loud);
        }
        let known = self.chirp.map(|(code, _)| code);
        if waited_for == known || waited_for.is_none() || now < self.listened_us + LISTEN_US {
            return;
        }
        self.listened_us = now;
        let newest = ear.heard[ear.heard.len().saturating_sub(LISTEN_SAMPLES)..].to_vec();
        drop(ear);
        self.chirp = waited_for
            .filter(|code| chirp::codes(&newest).contains(code))
            .map(|code| (code, now))
            .or(self.chirp);
    }

    fn is_due(&self, now: i64, answered: i64, moment: Moment) -> bool {
        match moment {
            Moment::Answer(after) => now >= answered + micros(after),
            Moment::Sound(after) => self.sound_us.is_some_and(|at| now >= at + micros(after)),
            Moment::Quiet(long) => {
                let loud = self.leg.as_ref().and_then(|leg| locked(&leg.ear).loud_us);
                self.sound_us.is_some() && loud.is_some_and(|at| now >= at + micros(long))
            }
            Moment::Chirp(code, after) => {
                self.chirp.is_some_and(|(heard, at)| heard == code && now >= at + micros(after))
            }
        }
    }

    /// Closes the audio and writes the report. The socket can be used again.
    pub(crate) fn finish(
        &mut self,
        key: u64,
        now: i64,
        ended: Ended,
    ) -> (Report, Option<Arc<UdpSocket>>) {
        self.ended = Some(now);
        let caller = match &self.role {
            Role::Caller(plan) => plan.number.clone(),
            Role::Agent(_) => self.dialog.remote_user().to_owned(),
        };
        let mut report = Report::unborn(key, caller, self.invited_us, ended);
        report.outgoing = matches!(self.role, Role::Caller(_));
        self.dialog.call_id().clone_into(&mut report.sip_call_id);
        report.ringing_at = self.ringing_us;
        report.answered_at = self.answered_us;
        report.ended_at = now;
        report.pressed.clone_from(&self.pressed);
        report.heard_keys.clone_from(&self.heard_keys);
        report.first_packet_at = self.first_packet_us;
        let Some(leg) = self.leg.take() else { return (report, None) };
        stop(&leg.task);
        let mut ear = locked(&leg.ear);
        report.first_sound_at = ear.sound_us;
        report.sound_began_at = leg.mouth.began_us;
        report.packets_sent = leg.mouth.packets;
        report.quality = ear.quality();
        report.heard_from = ear.heard_from_us;
        report.heard = std::mem::take(&mut ear.heard).into();
        report.delays_us = std::mem::take(&mut ear.delays_us);
        drop(ear);
        (report, Some(leg.socket))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 2)
}
