//! What must hold after every step, whatever happens: one invariant, one file, one name.
//!
//! A check sees what the cell says and the [`Ledger`] that is kept from it, and never the floor's
//! own indexes, so that floor and check cannot be wrong in the same way.

mod books;
mod close;
mod consent;
mod fence;
mod graph;
mod idle;
mod journal;
mod lease;
mod order;
mod outcome;
mod reply;
mod stuck;
mod wish;

use std::fmt::Debug;

use floor::Cell;
use model::event::Recorded;
use model::{Effect, Input, Output, Span, TenantId, Timestamp};

use crate::ledger::Ledger;

/// Fine, or what is wrong.
pub type Verdict = Result<(), String>;

/// The situation after an input is worked off.
#[derive(Debug, Clone, Copy)]
pub struct Settled<'a> {
    /// The time.
    pub now: Timestamp,
    /// What arrived.
    pub input: &'a Input,
    /// What came of it.
    pub outputs: &'a [Output],
    /// The cell.
    pub cell: &'a Cell,
    /// What is open.
    pub ledger: &'a Ledger,
    /// How late a timer may be.
    pub slack: Span,
}

/// One invariant.
pub trait Check: Debug {
    /// Its name.
    fn name(&self) -> &'static str;

    /// An event, with the ledger as it was before.
    ///
    /// # Errors
    /// What is wrong, if it breaks the invariant.
    fn event(&mut self, recorded: &Recorded, before: &Ledger) -> Verdict {
        let _ = (recorded, before);
        Ok(())
    }

    /// Something to do.
    ///
    /// # Errors
    /// What is wrong, if it breaks the invariant.
    fn effect(&mut self, effect: &Effect) -> Verdict {
        let _ = effect;
        Ok(())
    }

    /// The end of a step.
    ///
    /// # Errors
    /// What is wrong, if it breaks the invariant.
    fn settled(&mut self, settled: &Settled<'_>) -> Verdict {
        let _ = settled;
        Ok(())
    }

    /// The end of the run, long after the last arrival.
    ///
    /// # Errors
    /// What is wrong, if it breaks the invariant.
    fn finished(&mut self, settled: &Settled<'_>) -> Verdict {
        let _ = settled;
        Ok(())
    }
}

/// Every invariant, for one run of a tenant. `foreign` lists ids that belong to another.
#[must_use]
pub fn all(tenant: TenantId, ledger: &Ledger, foreign: Vec<String>) -> Vec<Box<dyn Check>> {
    vec![
        Box::new(journal::Contiguous::new(tenant)),
        Box::new(outcome::OneOutcome::default()),
        Box::new(lease::OneOffer),
        Box::new(order::FirstInLine),
        Box::new(order::LongestReady),
        Box::new(idle::NoIdlePair),
        Box::new(stuck::NothingStuck::default()),
        Box::new(stuck::StateFollows),
        Box::new(wish::WishSaved::default()),
        Box::new(consent::OnlyWithConsent::default()),
        Box::new(graph::WhoHearsWhom::default()),
        Box::new(reply::OneReply::default()),
        Box::new(books::BooksBalance::new(tenant, &ledger.config)),
        Box::new(fence::NoForeignId::new(foreign)),
        Box::new(close::AllCloses),
    ]
}

/// Asks every check and names the first that objects.
pub(crate) fn ask(
    checks: &mut [Box<dyn Check>],
    mut question: impl FnMut(&mut dyn Check) -> Verdict,
) -> Result<(), (&'static str, String)> {
    for check in checks {
        if let Err(detail) = question(check.as_mut()) {
            return Err((check.name(), detail));
        }
    }
    Ok(())
}

/// An error unless `holds`.
fn ensure(holds: bool, wrong: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(wrong()) }
}
