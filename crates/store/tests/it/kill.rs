//! kill -9 of a writing process: everything it was promised is there when the file is opened.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use model::{Event, Span};
use store::{FloorBatch, HouseKey, Store};

use crate::house::{self, NOW};

const DIR: &str = "STORE_TEST_KILL_DIR";

/// Not a test of its own: the process that is killed. It prints each `seq` after its commit.
#[test]
#[ignore = "started by the test below"]
fn child_writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(dir.as_ref(), &HouseKey::generate()).await.unwrap();
        let house = match store.tenants().await.unwrap().first() {
            Some(tenant) => tenant.id,
            None => house::found(&store, "100").await.unwrap().tenant,
        };
        let mut seq = store.system(house).last_seq().await.unwrap();
        loop {
            let mut waiting = Vec::new();
            for _ in 0..8 {
                let events = (1..=3)
                    .map(|n| {
                        let gap = Event::RecordGap { from_seq: seq + n, until_seq: seq + n };
                        house::recorded(house, seq + n, NOW + Span::from_micros(1), gap)
                    })
                    .collect();
                seq += 3;
                let batch = FloorBatch { tenant: house, events, rows: vec![] };
                waiting.push((seq, store.floor().commit(batch)));
            }
            for (seq, kept) in waiting {
                kept.await.unwrap();
                println!("kept {seq}");
            }
        }
    });
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_kill_nine() {
    let rounds = if std::env::var("EFFORT").is_ok_and(|effort| effort == "full") { 100 } else { 6 };
    let dir = tempfile::tempdir().unwrap();
    for round in 0..rounds {
        let last = run_and_kill(dir.path(), 40 + 31 * (round % 7));
        let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
        let tenant = store.tenants().await.unwrap()[0].id;
        let db = store.system(tenant);
        let seq = db.last_seq().await.unwrap();
        assert!(seq >= last, "acknowledged {last}, kept {seq}");
        assert_eq!(seq % 3, 0, "half a batch");
        let tail = db.events(seq.saturating_sub(2_000), 10_000).await.unwrap();
        assert!(tail.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq), "a hole");
        store.close().await;
    }
}

/// Lets the child write for a while after its first promise; the last `seq` it was promised.
fn run_and_kill(dir: &std::path::Path, writes_ms: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child_writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = 0;
    let mut until: Option<Instant> = None;
    for line in lines.by_ref() {
        // The harness prints the test's name on the line of the first promise.
        let line = line.unwrap();
        let Some((_, seq)) = line.split_once("kept ") else { continue };
        last = seq.parse().unwrap();
        let end = *until.get_or_insert_with(|| Instant::now() + Duration::from_millis(writes_ms));
        if Instant::now() >= end {
            break;
        }
    }
    assert!(last > 0, "the child never wrote");
    child.kill().unwrap();
    // What it had printed before it died counts as promised too; a torn last line does not.
    for line in lines.map_while(Result::ok) {
        if let Some(Ok(seq)) = line.strip_prefix("kept ").map(str::parse) {
            last = seq;
        }
    }
    child.wait().unwrap();
    last
}
