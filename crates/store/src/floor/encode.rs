//! Batches as SQL parameters. Encoding happens on the sender's thread; the writer only binds.

use std::sync::Arc;

use model::event::{ConsultOutcome, Event, OfferOutcome};
use model::{AgentId, TenantId};
use serde::Serialize;

use super::row::{FloorBatch, FloorRow};
use crate::error::StoreError;

/// A batch whose texts are made.
pub(crate) struct Encoded {
    pub(super) tenant: TenantId,
    pub(crate) events: Vec<EventRow>,
    pub(super) rows: Vec<FloorRow>,
}

/// One event as its row.
#[derive(Clone)]
pub(crate) struct EventRow {
    pub(super) tenant: Arc<str>,
    pub(super) seq: i64,
    pub(super) at: i64,
    pub(super) config: i64,
    pub(super) call: Option<Arc<str>>,
    pub(super) agent: Option<Arc<str>>,
    pub(super) body: Arc<str>,
}

impl Encoded {
    /// Fails when an event is of another tenant than its batch: the fence of the floor lane.
    pub(crate) fn new(batch: FloorBatch) -> Result<Self, StoreError> {
        let tenant: Arc<str> = batch.tenant.to_string().into();
        let mut events = Vec::with_capacity(batch.events.len());
        for recorded in &batch.events {
            if recorded.tenant != batch.tenant {
                return Err(StoreError::damaged("an event of another tenant in a batch"));
            }
            events.push(EventRow {
                tenant: Arc::clone(&tenant),
                seq: number(recorded.seq)?,
                at: recorded.at.micros(),
                config: number(recorded.config)?,
                call: recorded.event.call().map(|call| call.to_string().into()),
                agent: contact_of(&recorded.event).map(|agent| agent.to_string().into()),
                body: json(&recorded.event)?.into(),
            });
        }
        Ok(Self { tenant: batch.tenant, events, rows: batch.rows })
    }
}

/// The agent whose contact this event ended: a conversation, or an offer or a question of a
/// colleague that was declined or not answered. An agent's calls are found by these alone, and then
/// whole; an index entry for each of their events would cost each commit a page per agent.
fn contact_of(event: &Event) -> Option<AgentId> {
    match event {
        Event::Disconnected { agent, .. }
        | Event::OfferEnded {
            agent,
            outcome: OfferOutcome::NoAnswer | OfferOutcome::Declined,
            ..
        }
        | Event::ConsultEnded {
            colleague: agent,
            outcome: ConsultOutcome::NoAnswer | ConsultOutcome::Declined,
            ..
        } => Some(*agent),
        _ => None,
    }
}

pub(super) fn number(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::damaged("a number beyond 2^63"))
}

fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::damaged(error.to_string()))
}
