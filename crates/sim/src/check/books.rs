//! Every number twice: the fold of the journal by `report` equals the cell's live counters, per
//! queue, after every step, and the identity of the KPI book holds.

use std::collections::BTreeMap;

use model::config::TenantConfig;
use model::event::Recorded;
use model::{CallId, QueueId, TenantId};
use report::{Books, CallFold, CallRecord, Cursor, QueueCounters, Step};

use super::{Check, Settled, Verdict, ensure};
use crate::ledger::Ledger;

#[derive(Debug)]
pub(super) struct BooksBalance {
    books: Books,
    calls: CallFold,
    records: BTreeMap<CallId, CallRecord>,
}

impl BooksBalance {
    pub(super) fn new(tenant: TenantId, config: &TenantConfig) -> Self {
        let mut books = Books::new(tenant);
        books.configure(config);
        let calls = CallFold::new(Cursor::new(tenant));
        Self { books, calls, records: BTreeMap::new() }
    }
}

impl BooksBalance {
    /// What pages are shown of a queue is what `report` says.
    fn shown(&self, settled: &Settled<'_>, queue: QueueId, waiting: u64) -> Verdict {
        let Some(view) = settled.cell.queue_view(queue) else { return Ok(()) };
        let shown = u64::from(view.waiting);
        ensure(shown == waiting, || format!("{queue:?} shows {shown} waiting"))?;
        let since = self.books.queues.longest_since(queue);
        ensure(view.longest_since == since, || {
            format!("{queue:?} shows {:?} as the longest, it is {since:?}", view.longest_since)
        })?;
        let staff = self.books.agents.staff(&settled.ledger.config, queue);
        ensure((view.ready, view.busy) == (staff.ready, staff.busy), || {
            format!("{queue:?} shows {} ready, {} busy: {staff:?}", view.ready, view.busy)
        })
    }
}

impl Check for BooksBalance {
    fn name(&self) -> &'static str {
        "books balance"
    }

    fn event(&mut self, recorded: &Recorded, _: &Ledger) -> Verdict {
        let step = self.books.apply(recorded);
        ensure(step == Step::Next, || format!("event {}: {step:?}", recorded.seq))?;
        if let Some(record) = self.calls.apply(recorded) {
            self.records.insert(record.call, record);
        }
        Ok(())
    }

    fn settled(&mut self, settled: &Settled<'_>) -> Verdict {
        let counted = self.books.queues.counters();
        for (queue, live) in &settled.cell.live().queues {
            let live = QueueCounters {
                offered: live.offered,
                answered: live.answered,
                abandoned: live.abandoned,
                short_abandoned: live.short_abandoned,
                timed_out: live.timed_out,
                lost: live.lost,
                waiting: live.waiting,
            };
            let fold = counted.get(queue).copied().unwrap_or_default();
            ensure(fold == live, || format!("{queue:?}: {live:?} live, {fold:?} by the journal"))?;
            ensure(live.balanced(), || format!("{queue:?} is not balanced: {live:?}"))?;
            self.shown(settled, *queue, live.waiting)?;
        }
        let live = self.records.values().filter(|record| record.live()).count();
        let calls = usize::try_from(settled.cell.live().calls).unwrap_or(usize::MAX);
        ensure(live == calls, || format!("{calls} calls live, {live} by the journal"))?;
        // Finished records are compared no more; keep what can still change.
        if self.records.len() > 2 * calls + 64 {
            self.records.retain(|_, record| !record.finished());
        }
        Ok(())
    }

    fn finished(&mut self, _: &Settled<'_>) -> Verdict {
        let open = self.calls.open().count();
        ensure(open == 0, || format!("{open} call records are not finished"))
    }
}
