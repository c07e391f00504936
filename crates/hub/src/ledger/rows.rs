//! Rows that wait to be saved, in the order in which they came, with one row per call: the newest,
//! in the place of the first. What is written of them, and when in the transaction, is the store's
//! business.

use std::collections::BTreeMap;

use model::id::CallId;
use model::limits;
use store::FloorRow;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Rows {
    list: BTreeMap<u64, FloorRow>,
    /// The place of each call's row.
    calls: BTreeMap<CallId, u64>,
    /// The place of the next row; those that were taken out keep theirs.
    next: u64,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn copy(&self) -> Vec<FloorRow> {
        self.list.values().cloned().collect()
    }

    /// Keeps a row. False when there is no room for it.
    pub(super) fn keep(&mut self, row: FloorRow) -> bool {
        let known = match &row {
            FloorRow::Call(call) => self.calls.get(&call.call).copied(),
            _ => None,
        };
        if known.is_none() && self.list.len() >= limits::UNSAVED_EVENTS_MAX {
            return false;
        }
        let place = known.unwrap_or_else(|| {
            self.next += 1;
            self.next
        });
        self.put(place, row);
        true
    }

    fn put(&mut self, place: u64, row: FloorRow) {
        if let FloorRow::Call(call) = &row {
            self.calls.insert(call.call, place);
        }
        self.list.insert(place, row);
    }

    fn take(&mut self, place: u64) -> Option<FloorRow> {
        let row = self.list.remove(&place)?;
        if let FloorRow::Call(call) = &row {
            self.calls.remove(&call.call);
        }
        Some(row)
    }

    /// Takes the oldest out.
    pub(super) fn take_first(&mut self, rows: usize) -> Self {
        if self.list.len() <= rows {
            let rest = Self { next: self.next, ..Self::default() };
            return std::mem::replace(self, rest);
        }
        let places: Vec<u64> = self.list.keys().take(rows).copied().collect();
        let mut first = Self::default();
        for place in places {
            if let Some(row) = self.take(place) {
                first.put(place, row);
            }
        }
        first
    }

    /// Puts back what was taken out, in its old place, and gives how many of the youngest found no
    /// room any more.
    pub(super) fn put_back(&mut self, older: Self) -> u64 {
        for (place, row) in older.list {
            let newer = match &row {
                FloorRow::Call(call) => self.calls.get(&call.call).copied(),
                _ => None,
            };
            let row = newer.and_then(|newer| self.take(newer)).unwrap_or(row);
            self.put(place, row);
        }
        let mut lost = 0;
        while self.list.len() > limits::UNSAVED_EVENTS_MAX
            && let Some(youngest) = self.list.last_key_value().map(|(place, _)| *place)
        {
            self.take(youngest);
            lost += 1;
        }
        lost
    }
}
