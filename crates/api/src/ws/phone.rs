//! Which pages are open, so that a phone is given up only when the last connection of its tab is
//! gone, and other tabs hear when they lose it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::broadcast;

use crate::ports::PhoneOwner;

/// Takeovers that a slow connection may be behind; a missed one only delays its notice.
const TAKEOVERS_KEPT: usize = 256;

/// Open pages, counted by their connections.
#[derive(Debug)]
pub(crate) struct Pages {
    open: Mutex<HashMap<PhoneOwner, usize>>,
    taken: broadcast::Sender<PhoneOwner>,
}

impl Default for Pages {
    fn default() -> Self {
        let (taken, _) = broadcast::channel(TAKEOVERS_KEPT);
        Self { open: Mutex::default(), taken }
    }
}

impl Pages {
    /// A connection of this page is up.
    pub(crate) fn arrive(&self, page: &PhoneOwner) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        *open.entry(page.clone()).or_insert(0) += 1;
    }

    /// A connection of this page is gone; says whether it was the last one.
    pub(crate) fn leave(&self, page: &PhoneOwner) -> bool {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(page) {
            Some(connections) if *connections > 1 => {
                *connections -= 1;
                false
            }
            _ => {
                open.remove(page);
                true
            }
        }
    }

    /// This page owns the phone now.
    pub(crate) fn take(&self, page: &PhoneOwner) {
        // Without other connections nobody has to be told.
        let _ = self.taken.send(page.clone());
    }

    /// Who takes phones from now on.
    pub(crate) fn takeovers(&self) -> broadcast::Receiver<PhoneOwner> {
        self.taken.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;

    #[test]
    fn a_page_is_gone_with_its_last_connection() {
        let pages = Pages::default();
        let page = PhoneOwner {
            tenant: store::fresh_id(Timestamp::default()),
            agent: store::fresh_id(Timestamp::default()),
            tab: "a".into(),
            epoch: 1,
        };
        pages.arrive(&page);
        pages.arrive(&page);
        assert!(!pages.leave(&page));
        assert!(pages.leave(&page));
    }
}
