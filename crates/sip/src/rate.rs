//! How many requests a source address sent in the running second, for a bounded number of sources.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// A table of sources. When it is full, the source that was first seen longest ago leaves.
#[derive(Debug)]
pub(crate) struct Rates {
    per_second: u32,
    sources_max: usize,
    table: HashMap<IpAddr, Window>,
    order: VecDeque<IpAddr>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    second: u64,
    count: u32,
}

impl Rates {
    pub(crate) fn new(per_second: u32, sources_max: usize) -> Self {
        Self { per_second, sources_max, table: HashMap::new(), order: VecDeque::new() }
    }

    /// Counts one request at `second`; false when the source has had its share.
    pub(crate) fn admit(&mut self, source: IpAddr, second: u64) -> bool {
        if let Some(window) = self.table.get_mut(&source) {
            if window.second != second {
                *window = Window { second, count: 0 };
            }
            window.count = window.count.saturating_add(1);
            return window.count <= self.per_second;
        }
        if self.table.len() >= self.sources_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.table.remove(&oldest);
        }
        self.table.insert(source, Window { second, count: 1 });
        self.order.push_back(source);
        self.per_second >= 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from_bits(n))
    }

    #[test]
    fn each_source_has_its_own_share_of_each_second() {
        let mut rates = Rates::new(2, 10);
        assert!(rates.admit(ip(1), 5) && rates.admit(ip(1), 5));
        assert!(!rates.admit(ip(1), 5));
        assert!(rates.admit(ip(2), 5));
        assert!(rates.admit(ip(1), 6));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut rates = Rates::new(1, 3);
        for n in 0..1000 {
            rates.admit(ip(n), 1);
        }
        assert_eq!((rates.table.len(), rates.order.len()), (3, 3));
        assert!(!rates.admit(ip(999), 1));
    }
}
