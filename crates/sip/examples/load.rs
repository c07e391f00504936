//! What a call costs: answers calls, or joins each to an outgoing one, and reports CPU per call.
//!
//! `load HOST:PORT CALLS` answers; `load HOST:PORT CALLS TARGET` dials `TARGET` for every call and
//! answers when it does, as a two-leg exchange without media. Drive it with the sipp scenarios of
//! `testdata/sipp`; it stops after `CALLS` incoming calls have ended.

#![expect(clippy::print_stdout, reason = "a measuring program speaks to its terminal")]

use std::collections::HashMap;
use std::net::SocketAddr;

use model::LegId;
use model::id::Id;
use model::media::{Codec, Direction, MediaDesc};
use model::sip::{Callee, LegCause, SipCommand, SipEvent, SipTarget};
use sip::{SipConfig, SipHandle, start};

/// CPU time of this process in milliseconds, at the kernel's 100 ticks per second.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks =
        fields.split_ascii_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok());
    ticks.sum::<u64>() * 10
}

fn rss_kb() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("").to_owned()
}

struct Exchange {
    plane: SipHandle,
    target: Option<SocketAddr>,
    other: HashMap<LegId, LegId>,
    incoming_ended: u64,
}

impl Exchange {
    fn send(&self, command: SipCommand) {
        if self.plane.send(command).is_err() {
            println!("command queue full");
        }
    }

    fn local() -> MediaDesc {
        MediaDesc {
            address: [127, 0, 0, 1].into(),
            port: 9_000,
            codecs: vec![Codec::Pcmu],
            dtmf: Some(101),
            direction: Direction::SendRecv,
            ptime_ms: 20,
        }
    }

    fn event(&mut self, event: SipEvent) {
        match event {
            SipEvent::Incoming { leg, caller, dialled, .. } => {
                let Some(address) = self.target else {
                    self.send(SipCommand::Answer { leg, local: Self::local() });
                    return;
                };
                let out = LegId::from_uuid(uuid::Uuid::from_u128(!leg.uuid().as_u128()));
                self.other.insert(leg, out);
                self.other.insert(out, leg);
                let callee = Callee::At(SipTarget { user: dialled, address });
                self.send(SipCommand::Dial { leg: out, callee, caller, local: Self::local() });
            }
            SipEvent::Answered { leg, .. } => {
                if let Some(leg) = self.other.get(&leg).copied() {
                    self.send(SipCommand::Answer { leg, local: Self::local() });
                }
            }
            SipEvent::Ended { leg, .. } => match self.other.remove(&leg) {
                Some(other) if self.other.contains_key(&other) => {
                    self.incoming_ended += 1;
                    self.send(SipCommand::Hangup { leg: other, cause: LegCause::Hangup });
                }
                Some(_) => {}
                None => self.incoming_ended += 1,
            },
            _ => {}
        }
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(bind), Some(calls)) = (arguments.first(), arguments.get(1)) else {
        return Err("usage: load HOST:PORT CALLS [TARGET]".into());
    };
    let calls: u64 = calls.parse()?;
    let target = arguments.get(2).map(|t| t.parse()).transpose()?;
    let config =
        SipConfig { bind: bind.parse()?, rate_per_source: u32::MAX, ..SipConfig::default() };
    let (plane, mut events) = start(config)?;
    println!("listening on {}", plane.local_addr());
    let mut exchange = Exchange { plane, target, other: HashMap::new(), incoming_ended: 0 };
    let before = cpu_ms();
    while exchange.incoming_ended < calls
        && let Some(event) = events.recv().await
    {
        exchange.event(event);
    }
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let spent = cpu_ms() - before;
    println!("{calls} calls, {spent} ms CPU, {} us per call, {}", spent * 1_000 / calls, rss_kb());
    println!("{:?}", exchange.plane.counters());
    exchange.plane.shutdown().await;
    Ok(())
}
