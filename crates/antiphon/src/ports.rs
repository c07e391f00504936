//! What the API needs of the running house, put on the hub, the planes and the sound files.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::{Change, Check, Floor, FlowFault, Peaks, PhoneOwner, RecordingWav, Sound, SoundFault};
use api::{TopicData, Update};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use hub::{Claim, Hub};
use media::clip::Clip;
use media::recording::{WavView, peaks};
use media::{MediaHandle, Refused};
use model::config::TenantConfig;
use model::flow::Flow;
use model::id::{AgentId, TenantId};
use model::input::Command;
use model::refusal::Refusal;
use model::{Timestamp, Topic};
use sip::SipHandle;
use tokio::sync::broadcast::error::RecvError;

/// Pause between tries to put a saved configuration in force.
const CONFIG_RETRY: Duration = Duration::from_secs(2);

/// The running house as the API sees it.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) hub: Hub,
    pub(crate) sip: Arc<SipHandle>,
    pub(crate) media: Arc<MediaHandle>,
}

fn update(update: hub::Update) -> Update {
    let data = match update.data {
        hub::TopicData::Agent(view) => TopicData::Agent(view),
        hub::TopicData::Queue(view) => TopicData::Queue(view),
        hub::TopicData::Record(view) => TopicData::Record(view),
    };
    Update { topic: update.topic, seq: update.seq, data }
}

impl Floor for Running {
    fn now(&self) -> Timestamp {
        self.hub.now()
    }

    fn reached_at(&self) -> SocketAddr {
        self.sip.advertised()
    }

    fn command(
        &self,
        tenant: TenantId,
        agent: AgentId,
        command: Command,
    ) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(self.hub.command(tenant, agent, command))
    }

    fn latest(&self, tenant: TenantId, topic: Topic) -> Option<Update> {
        self.hub.latest(tenant, topic).map(update)
    }

    fn watch(&self, tenant: TenantId) -> Option<BoxStream<'static, Change>> {
        let updates = self.hub.watch(tenant)?;
        let changes = stream::unfold(updates, |mut updates| async move {
            let change = match updates.recv().await {
                Ok(newest) => Change::Topic(update(newest)),
                Err(RecvError::Lagged(_)) => Change::Missed,
                Err(RecvError::Closed) => return None,
            };
            Some((change, updates))
        });
        Some(changes.boxed())
    }

    fn browser_offer(
        &self,
        owner: PhoneOwner,
        take: bool,
        sdp: String,
    ) -> BoxFuture<'_, Result<String, Refusal>> {
        let PhoneOwner { tenant, agent, tab, epoch } = owner;
        Box::pin(self.hub.browser_offer(tenant, agent, Claim { tab, epoch, take }, sdp))
    }

    fn browser_back(&self, owner: PhoneOwner) {
        self.hub.browser_back(owner.tenant, owner.agent, owner.tab, owner.epoch);
    }

    fn browser_gone(&self, owner: PhoneOwner) {
        self.hub.browser_gone(owner.tenant, owner.agent, owner.tab, owner.epoch);
    }

    fn config_changed(&self, tenant: TenantId) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Err(error) = self.hub.config_changed(tenant).await else { return };
            tracing::error!(tenant.id = %tenant, %error, "a new configuration is not in force yet");
            let hub = self.hub.clone();
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(CONFIG_RETRY).await;
                    match hub.config_changed(tenant).await {
                        Ok(()) => break,
                        Err(error) => tracing::error!(tenant.id = %tenant, %error, "nor now"),
                    }
                }
                tracing::info!(tenant.id = %tenant, "the new configuration is in force");
            });
        })
    }

    fn check_flow(&self, document: &str, config: &TenantConfig) -> Result<Flow, Vec<FlowFault>> {
        let place = |fault: hub::FlowFault| FlowFault {
            pointer: fault.pointer,
            code: fault.code,
            detail: fault.detail,
        };
        Hub::check_flow(document, config).map_err(|faults| faults.into_iter().map(place).collect())
    }

    fn checks(&self) -> Vec<Check> {
        let health = self.hub.health();
        let late = health.inputs_waiting >= model::limits::CELL_MAILBOX_INPUTS_MAX / 2;
        let floor = late.then(|| format!("{} inputs wait", health.inputs_waiting));
        let deaf = health.failed.map(|task| format!("a fault ended the {task}"));
        let floor = deaf.or(floor);
        let record = (health.degraded > 0).then(|| {
            "the disk does not keep what happens; calls go on, nothing more is promised".to_owned()
        });
        let gone = |part: Option<&str>| part.map(|part| format!("a fault ended the {part}"));
        vec![
            Check { name: "floor", fault: floor },
            Check { name: "sip", fault: gone(self.sip.fault()) },
            Check { name: "media", fault: gone(self.media.fault()) },
            Check { name: "record", fault: record },
        ]
    }

    fn metrics(&self) -> String {
        let (health, sip, media) = (self.hub.health(), self.sip.counters(), self.media.metrics());
        let mut lines = String::new();
        for (name, value) in [
            ("antiphon_tenants", health.tenants as u64),
            ("antiphon_tenants_degraded", health.degraded as u64),
            ("antiphon_inputs_waiting", health.inputs_waiting as u64),
            ("antiphon_flight_steps_lost_total", health.flight_steps_lost),
            ("antiphon_floor_panics_total", health.caught),
            ("antiphon_sip_panics_total", sip.panics),
            ("antiphon_sip_messages_in_total", sip.messages_in),
            ("antiphon_sip_messages_out_total", sip.messages_out),
            ("antiphon_sip_retransmissions_in_total", sip.retransmissions_in),
            ("antiphon_sip_bans_total", sip.bans),
            ("antiphon_sip_legs", sip.legs as u64),
            ("antiphon_sip_connections", sip.connections as u64),
            ("antiphon_sip_phones", sip.phones as u64),
            ("antiphon_media_packets_in_total", media.packets_in),
            ("antiphon_media_packets_out_total", media.packets_out),
            ("antiphon_media_ticks_total", media.ticks),
            ("antiphon_media_ticks_skipped_total", media.ticks_skipped),
            ("antiphon_media_legs", media.legs),
            ("antiphon_media_calls", media.calls),
            ("antiphon_media_clips", media.clips),
            ("antiphon_media_recordings_total", media.recordings),
            ("antiphon_media_recording_blocks_lost_total", media.recording_blocks_lost),
            ("antiphon_media_events_lost_total", media.events_lost),
            ("antiphon_media_send_failed_total", media.send_failed),
            ("antiphon_media_panics_total", media.panics),
        ] {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{name} {value}");
        }
        // A step of the wall clock harms no call: house time goes on steadily.
        let jump_us = health.clock_jump_us.unwrap_or(0);
        let _ = writeln!(lines, "antiphon_clock_jump_us {jump_us}");
        for (reason, count) in &sip.refused {
            let _ = writeln!(lines, "antiphon_sip_refused_total{{reason=\"{reason}\"}} {count}");
        }
        let Refused { malformed, stranger, payload_type, digit } = media.refused;
        for (reason, count) in [
            ("malformed", malformed),
            ("stranger", stranger),
            ("payload_type", payload_type),
            ("digit", digit),
        ] {
            let _ = writeln!(lines, "antiphon_media_refused_total{{reason=\"{reason}\"}} {count}");
        }
        lines
    }
}

/// Recordings and prompts on the disk.
#[derive(Debug)]
pub(crate) struct Files;

struct Wav(WavView);

impl RecordingWav for Wav {
    fn bytes(&self) -> u64 {
        self.0.len()
    }

    fn pauses_ms(&self) -> Vec<(u64, u64)> {
        self.0.recording().pauses()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
}

impl Sound for Files {
    fn recording(&self, file: &Path) -> Result<Box<dyn RecordingWav>, SoundFault> {
        let view = WavView::open(file).map_err(|_| SoundFault::Unreadable)?;
        Ok(Box::new(Wav(view)))
    }

    fn peaks(&self, file: &Path, points: usize) -> Result<Peaks, SoundFault> {
        let found = peaks(file, points).map_err(|_| SoundFault::Unreadable)?;
        let level = |sample: &u16| f32::from(*sample) / f32::from(i16::MAX);
        Ok(Peaks {
            step_ms: found.samples_per_point as f64 / 8.0,
            left: found.said.iter().map(level).collect(),
            right: found.heard.iter().map(level).collect(),
        })
    }

    fn normalise(&self, wav: &[u8]) -> Result<Vec<i16>, SoundFault> {
        let clip = Clip::from_wav(wav)
            .map_err(|fault| SoundFault::NotWav { at: fault.at, why: fault.why.to_string() })?;
        Ok(clip.samples.to_vec())
    }
}
