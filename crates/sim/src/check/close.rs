//! After arrivals stop, everything closes: no call, no wait, no offer, no lease, no timer is left,
//! and no leg but those of pages that are open.

use super::{Check, Settled, Verdict, ensure};

#[derive(Debug)]
pub(super) struct AllCloses;

impl Check for AllCloses {
    fn name(&self) -> &'static str {
        "all closes"
    }

    fn finished(&mut self, settled: &Settled<'_>) -> Verdict {
        let live = settled.cell.live();
        ensure(live.calls == 0, || format!("{} calls are left", live.calls))?;
        ensure(live.offers == 0, || format!("{} offers are left", live.offers))?;
        ensure(live.leased == 0, || format!("{} agents are not free", live.leased))?;
        let waiting: u64 = live.queues.values().map(|queue| queue.waiting).sum();
        ensure(waiting == 0, || format!("{waiting} contacts wait"))?;
        ensure(settled.ledger.quiet(), || "something is open in the journal".to_owned())?;
        let ledger = settled.ledger;
        let pages = ledger.devices.keys().filter(|agent| ledger.config.agents.contains_key(agent));
        let (pages, legs) = (pages.count(), live.legs);
        ensure(usize::try_from(legs) == Ok(pages), || format!("{legs} legs, {pages} pages"))?;
        let timer = settled.cell.deadline();
        ensure(timer.is_none(), || format!("a timer is left: {timer:?}"))
    }
}
