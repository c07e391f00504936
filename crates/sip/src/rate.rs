//! What is known of source addresses, for a bounded number of them, and how many requests each sent
//! in the running second.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// Something about each source. When it is full, the source that was first seen longest ago leaves.
#[derive(Debug)]
pub(crate) struct Table<V> {
    sources_max: usize,
    values: HashMap<IpAddr, V>,
    order: VecDeque<IpAddr>,
}

impl<V: Default> Table<V> {
    pub(crate) fn new(sources_max: usize) -> Self {
        Self { sources_max, values: HashMap::new(), order: VecDeque::new() }
    }

    pub(crate) fn get(&self, source: IpAddr) -> Option<&V> {
        self.values.get(&source)
    }

    /// What is known of a source, or a new beginning.
    pub(crate) fn entry(&mut self, source: IpAddr) -> &mut V {
        if !self.values.contains_key(&source) {
            if self.order.len() >= self.sources_max
                && let Some(oldest) = self.order.pop_front()
            {
                self.values.remove(&oldest);
            }
            self.order.push_back(source);
        }
        self.values.entry(source).or_default()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        assert_eq!(self.values.len(), self.order.len());
        self.values.len()
    }
}

/// How many requests each source sent in the running second.
#[derive(Debug)]
pub(crate) struct Rates {
    per_second: u32,
    windows: Table<Window>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    second: u64,
    count: u32,
}

impl Rates {
    pub(crate) fn new(per_second: u32, sources_max: usize) -> Self {
        Self { per_second, windows: Table::new(sources_max) }
    }

    /// Counts one request at `second`; false when the source has had its share.
    pub(crate) fn admit(&mut self, source: IpAddr, second: u64) -> bool {
        let window = self.windows.entry(source);
        if window.second != second {
            *window = Window { second, count: 0 };
        }
        window.count = window.count.saturating_add(1);
        window.count <= self.per_second
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
        assert_eq!(rates.windows.len(), 3);
        assert!(!rates.admit(ip(999), 1));
    }
}
