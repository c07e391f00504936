//! Keeps where telephones registered, so that they can be rung at once after a restart.
//!
//! Nobody waits for it: what is lost with a crash comes back with the next registration. The newest
//! word about a telephone is the one that is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::id::{DeviceId, TenantId};
use model::sip::PhoneContact;
use store::Store;
use tokio::sync::mpsc;

use crate::clock::HouseClock;

/// Where a telephone can be rung from now on.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) tenant: TenantId,
    pub(crate) device: DeviceId,
    pub(crate) contacts: Vec<PhoneContact>,
}

type Batches = BTreeMap<TenantId, BTreeMap<DeviceId, Vec<PhoneContact>>>;

/// Starts keeping what is sent; ends when the sender is gone and all is kept.
pub(crate) fn keep(store: Store, clock: Arc<HouseClock>) -> mpsc::UnboundedSender<Known> {
    let (sender, mut known) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(first) = known.recv().await {
            let mut batches = Batches::new();
            add(&mut batches, first);
            while let Ok(next) = known.try_recv() {
                add(&mut batches, next);
            }
            for (tenant, batch) in batches {
                let kept = store.system(tenant).keep_phone_contacts(batch, clock.now()).await;
                if let Err(error) = kept {
                    tracing::warn!(tenant.id = %tenant, %error, "registrations were not kept");
                }
            }
        }
    });
    sender
}

fn add(batches: &mut Batches, Known { tenant, device, contacts }: Known) {
    batches.entry(tenant).or_default().insert(device, contacts);
}
