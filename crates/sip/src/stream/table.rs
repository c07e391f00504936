//! The connections there are, as the core knows them.
//!
//! Invariant: `new` names exactly the connections of which nothing is known yet, the oldest first,
//! at most `limits::SIP_STREAMS_NEW_MAX`, of one address at most
//! `limits::SIP_STREAMS_NEW_PER_SOURCE_MAX`.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use bytes::Bytes;
use model::limits;

use super::link::{Link, Serial, Standing, Unsent};
use crate::way::Way;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Table {
    links: HashMap<Way, Link>,
    new: VecDeque<(Way, Serial)>,
    /// How many of `new` are from where.
    new_of: HashMap<IpAddr, usize>,
    /// Those that were kept and are over, until somebody asks.
    lost: Vec<Way>,
}

impl Table {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.links.len()
    }

    pub(crate) fn has(&self, way: Way) -> bool {
        self.links.contains_key(&way)
    }

    /// Whether it is this one.
    pub(crate) fn is(&self, way: Way, serial: Serial) -> bool {
        self.links.get(&way).is_some_and(|link| link.serial == serial)
    }

    /// Lets a new connection in. Where there are too many it is the oldest stranger that goes, of
    /// the same network if that has too many.
    pub(crate) fn open(&mut self, way: Way, link: Link) {
        // Its far end had another one before, of which we have not heard that it is over.
        if let Some(old) = self.links.get(&way).map(|old| old.serial) {
            self.close(way, old);
        }
        if self.links.len() >= limits::SIP_STREAMS_MAX {
            return;
        }
        link.stands(Standing::Stranger);
        self.meet(way, link.serial);
        self.links.insert(way, link);
    }

    fn meet(&mut self, way: Way, serial: Serial) {
        let (source, per_source) = (way.network(), limits::SIP_STREAMS_NEW_PER_SOURCE_MAX);
        if self.new_of.get(&source).copied().unwrap_or(0) >= per_source {
            self.evict(|of| of == source);
        } else if self.new.len() >= limits::SIP_STREAMS_NEW_MAX {
            self.evict(|_| true);
        }
        self.new.push_back((way, serial));
        *self.new_of.entry(source).or_default() += 1;
    }

    fn evict(&mut self, is_of: impl Fn(IpAddr) -> bool) {
        let oldest = self.new.iter().find(|(way, _)| is_of(way.network())).copied();
        if let Some((way, serial)) = oldest {
            self.close(way, serial);
        }
    }

    /// Somebody is reached by a connection: it may rest.
    pub(crate) fn keep(&mut self, way: Way) {
        if let Some(link) = self.links.get(&way)
            && link.standing() != Standing::Kept
        {
            link.stands(Standing::Kept);
            self.known(way);
        }
    }

    /// Nobody is reached by it any more: it is one among strangers.
    pub(crate) fn release(&mut self, way: Way) {
        if let Some(link) = self.links.get(&way)
            && link.standing() == Standing::Kept
        {
            link.stands(Standing::Stranger);
            let serial = link.serial;
            self.meet(way, serial);
        }
    }

    /// A connection is over. Another one with the same far end may be there since.
    pub(crate) fn close(&mut self, way: Way, serial: Serial) {
        if !self.is(way, serial) {
            return;
        }
        match self.links.remove(&way) {
            Some(link) if link.standing() == Standing::Kept => self.lost.push(way),
            _ => self.known(way),
        }
    }

    /// Closes what was heard from just now.
    pub(crate) fn shut(&mut self, way: Way) {
        if let Some(serial) = self.links.get(&way).map(|link| link.serial) {
            self.close(way, serial);
        }
    }

    /// One by which somebody was reached, and that is over.
    pub(crate) fn lost(&mut self) -> Option<Way> {
        self.lost.pop()
    }

    pub(crate) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    fn known(&mut self, way: Way) {
        self.new.retain(|(of, _)| *of != way);
        let source = way.network();
        match self.new_of.get_mut(&source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = self.new_of.remove(&source),
        }
    }

    /// Sends without waiting. A connection that takes nothing is closed.
    pub(crate) fn send(&mut self, way: Way, message: Bytes) -> Result<(), Unsent> {
        let link = self.links.get(&way).ok_or(Unsent::Gone)?;
        let (serial, sent) = (link.serial, link.send(message));
        if sent.is_err() {
            self.close(way, serial);
        }
        sent
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::sip::Transport;
    use tokio::sync::mpsc;

    use super::super::link::{Wire, pair};
    use super::*;

    fn way(n: usize) -> Way {
        let source = [192, 0, 2, u8::try_from(n / 60_000).expect("few")];
        let port = u16::try_from(n % 60_000).expect("a port");
        Way { transport: Transport::Tcp, address: (source, port).into() }
    }

    /// Opens one connection; its other end.
    fn open(table: &mut Table, n: usize) -> Wire {
        let (arrivals, _) = mpsc::channel(1);
        let (link, wire) = pair(way(n), n as Serial, arrivals, Duration::ZERO);
        table.open(way(n), link);
        wire
    }

    fn is_open(table: &mut Table, n: usize) -> bool {
        table.send(way(n), Bytes::new()).is_ok()
    }

    #[test]
    fn strangers_make_room_for_each_other_and_nobody_else_does() {
        let (mut table, most) = (Table::default(), limits::SIP_STREAMS_NEW_PER_SOURCE_MAX);
        let _wires: Vec<Wire> = (0..most).map(|n| open(&mut table, n)).collect();
        table.keep(way(0));
        let _more = [most, most + 1, 60_000].map(|n| open(&mut table, n));
        assert_eq!(table.len(), most + 2);
        assert!(is_open(&mut table, 0), "it was recognised");
        assert!(!is_open(&mut table, 1), "the oldest stranger of the address went");
        assert!(is_open(&mut table, 2) && is_open(&mut table, 60_000));
        assert_eq!(table.new.len(), most + 1);
        for n in 0..=60_000 {
            table.close(way(n), n as Serial);
        }
        assert_eq!((table.len(), table.new.len(), table.new_of.len()), (0, 0, 0));
    }

    #[test]
    fn strangers_of_all_addresses_are_bounded() {
        let (mut table, most) = (Table::default(), limits::SIP_STREAMS_NEW_MAX);
        let place = |n: usize| n / 128 * 60_000 + n % 128;
        let _wires: Vec<Wire> = (0..=most).map(|n| open(&mut table, place(n))).collect();
        assert_eq!((table.len(), table.new.len()), (most, most));
        assert!(!is_open(&mut table, 0) && is_open(&mut table, 1));
    }

    #[test]
    fn a_late_word_of_an_old_connection_closes_no_new_one() {
        let mut table = Table::default();
        let _wire = open(&mut table, 7);
        table.close(way(7), 6);
        assert!(is_open(&mut table, 7));
        assert_eq!(table.lost(), None);
        table.keep(way(7));
        table.close(way(7), 7);
        assert!(!table.has(way(7)));
        assert_eq!((table.lost(), table.lost()), (Some(way(7)), None));
    }

    #[test]
    fn the_same_far_end_again_is_another_connection() {
        let mut table = Table::default();
        let _wires = [open(&mut table, 7)];
        let (arrivals, _) = mpsc::channel(1);
        let mut again = |serial| {
            let (link, wire) = pair(way(7), serial, arrivals.clone(), Duration::ZERO);
            table.open(way(7), link);
            assert!(table.is(way(7), serial) && !table.is(way(7), serial - 1));
            let counts = (table.len(), table.new.len(), table.new_of[&way(7).network()]);
            assert_eq!(counts, (1, 1, 1));
            table.keep(way(7));
            wire
        };
        let _others = [again(8), again(9)];
        assert_eq!(
            table.lost(),
            Some(way(7)),
            "whoever was reached by the old one is not any more"
        );
        assert!(!table.has_lost());
    }

    #[test]
    fn who_is_reached_no_longer_is_a_stranger_again() {
        let mut table = Table::default();
        let _wire = open(&mut table, 1);
        for _ in 0..2 {
            table.keep(way(1));
            assert_eq!((table.new.len(), table.new_of.len()), (0, 0));
            table.release(way(1));
            table.release(way(1));
            assert_eq!((table.new.len(), table.new_of.len()), (1, 1));
        }
        table.shut(way(1));
        assert_eq!((table.len(), table.new.len(), table.lost()), (0, 0, None));
    }

    #[test]
    fn whoever_takes_nothing_is_closed() {
        let mut table = Table::default();
        let _wires = [1, 2].map(|n| open(&mut table, n));
        table.keep(way(2));
        let most = limits::SIP_STREAM_NEW_WAITING_BYTES_MAX;
        let half = Bytes::from(vec![0; most / 2]);
        let mut sends = |n| [0; 3].map(|_| table.send(way(n), half.clone()));
        assert_eq!(sends(1), [Ok(()), Ok(()), Err(Unsent::Stuck)]);
        assert_eq!(sends(1)[0], Err(Unsent::Gone));
        assert_eq!(sends(2), [Ok(()); 3], "a trunk may have more to hear at once");
        let most = Bytes::from(vec![0; limits::SIP_STREAM_WAITING_BYTES_MAX]);
        assert_eq!(table.send(way(2), most), Err(Unsent::Stuck));
        assert_eq!((table.lost(), table.len()), (Some(way(2)), 0));
    }
}
