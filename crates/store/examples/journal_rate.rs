//! How many event rows per second the real writer keeps, batched as cells send them (G9).
//!
//! `cargo run --release -p store --example journal_rate -- [FOLDER]`: every batch of ten events is
//! acknowledged after its sync; 512 are under way at once, a fraction of what a cell may have.

#![expect(clippy::print_stdout, reason = "printing figures is what this program is for")]

use std::collections::VecDeque;
use std::time::Instant;

use model::{AgentId, CallId, Event, Recorded, Timestamp};
use store::{Actor, FloorBatch, HouseKey, NewTenant, Store, StoreError, fresh_id};

const BATCHES: u64 = 20_000;
const EVENTS_PER_BATCH: u64 = 10;
const UNDER_WAY: usize = 512;

#[tokio::main]
async fn main() -> Result<(), StoreError> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| {
        let name = format!("antiphon-journal-{}", std::process::id());
        std::env::temp_dir().join(name).to_string_lossy().into_owned()
    });
    let store = Store::open(folder.as_ref(), &HouseKey::generate()).await?;
    let at = Timestamp::from_micros(1_790_000_000_000_000);
    let new = NewTenant {
        name: "Example".to_owned(),
        zone: "UTC".to_owned(),
        language: "en".to_owned(),
        domain: None,
        first_only: false,
    };
    let made = store.create_tenant(new, Actor::System, at, |_| Ok::<_, StoreError>(())).await?;
    let tenant = made.config.tenant;
    let agent: AgentId = fresh_id(at);
    let began = Instant::now();
    let mut waiting = VecDeque::new();
    let mut slowest_us = 0;
    for n in 0..BATCHES {
        let call: CallId = fresh_id(at);
        let events = (1..=EVENTS_PER_BATCH)
            .map(|place| Recorded {
                tenant,
                seq: n * EVENTS_PER_BATCH + place,
                at,
                config: 1,
                event: Event::HoldStarted { call, agent },
            })
            .collect();
        let batch = FloorBatch { tenant, events, rows: Vec::new() };
        waiting.push_back((Instant::now(), store.floor().commit(batch)));
        if waiting.len() >= UNDER_WAY
            && let Some((sent, kept)) = waiting.pop_front()
        {
            kept.await?;
            slowest_us = slowest_us.max(sent.elapsed().as_micros());
        }
    }
    for (_, kept) in waiting {
        kept.await?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let rows = BATCHES * EVENTS_PER_BATCH;
    let figures = store.figures();
    println!("journal_rows_per_s {:.0}", rows as f64 / seconds);
    println!("goal 20000");
    println!("transactions {}", figures.commits);
    println!("slowest_acknowledgement_ms {:.1}", slowest_us as f64 / 1e3);
    println!("longest_transaction_ms {:.1}", figures.commit_us_max as f64 / 1e3);
    store.close().await;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
