//! Sources that are not listened to for a while, because most of what they send is garbage or
//! because they send too much for long.
//!
//! A source address can be forged, so a ban is always for a bounded time, never falls on a trusted
//! network, and never on messages of a dialog that stands: the filter asks for those first.

use std::net::IpAddr;

use model::limits;

use crate::rate::Table;

/// What one message says about its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conduct {
    /// A message as messages should be, refused or not.
    Fair,
    /// No telephone sends this.
    Garbage,
    /// Over the rate of its source.
    Over,
}

/// How a source behaves lately.
#[derive(Debug, Clone, Copy, Default)]
struct Watched {
    /// The second in which the running window began.
    begun: u64,
    messages: u32,
    garbage: u32,
    /// The last second over the rate, and how many in a row.
    over_at: u64,
    over_run: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Ban {
    /// The second in which it ends.
    until: u64,
    /// Bans in a row: each is twice as long as the one before.
    times: u32,
}

/// See the module. Two tables, so that a flood of new addresses drives out no ban.
#[derive(Debug)]
pub(crate) struct Bans {
    first_s: u64,
    watched: Table<Watched>,
    banned: Table<Ban>,
}

impl Bans {
    /// The first ban of a source lasts `first_s` seconds.
    pub(crate) fn new(first_s: u64, sources_max: usize) -> Self {
        Self { first_s, watched: Table::new(sources_max), banned: Table::new(sources_max) }
    }

    pub(crate) fn is_banned(&self, source: IpAddr, second: u64) -> bool {
        self.banned.get(source).is_some_and(|ban| second < ban.until)
    }

    /// Takes note of a message; true when its source is banned from now on.
    pub(crate) fn note(&mut self, source: IpAddr, second: u64, conduct: Conduct) -> bool {
        let watched = self.watched.entry(source);
        if watched.begun + limits::SIP_BAN_WINDOW_S <= second {
            (watched.begun, watched.messages, watched.garbage) = (second, 0, 0);
        }
        match conduct {
            Conduct::Fair => watched.messages += 1,
            Conduct::Garbage => {
                watched.messages += 1;
                watched.garbage += 1;
            }
            Conduct::Over if watched.over_at == second && watched.over_run > 0 => {}
            Conduct::Over => {
                let in_a_row = watched.over_at + 1 == second;
                watched.over_run = if in_a_row { watched.over_run + 1 } else { 1 };
                watched.over_at = second;
            }
        }
        let garbage = watched.messages >= limits::SIP_BAN_MESSAGES_MIN
            && watched.garbage > watched.messages / 2;
        if !garbage && watched.over_run < limits::SIP_BAN_OVER_RATE_S {
            return false;
        }
        *watched = Watched::default();
        let ban = self.banned.entry(source);
        if ban.until + limits::SIP_BAN_S_MAX < second {
            ban.times = 0;
        }
        let length = self.first_s.saturating_mul(1 << ban.times.min(16));
        ban.until = second + length.min(limits::SIP_BAN_S_MAX);
        ban.times += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn bans() -> Bans {
        Bans::new(60, 10)
    }

    /// The message of `messages` with which the ban came.
    fn banned_at(bans: &mut Bans, messages: impl Iterator<Item = (u64, Conduct)>) -> Option<usize> {
        let mut messages = messages;
        messages.position(|(second, conduct)| bans.note(A, second, conduct))
    }

    #[test]
    fn mostly_garbage_is_banned_and_little_is_not() {
        let mut bans = bans();
        let mostly = |n: usize| if n.is_multiple_of(3) { Conduct::Fair } else { Conduct::Garbage };
        let rarely = |n: usize| if n.is_multiple_of(3) { Conduct::Garbage } else { Conduct::Fair };
        assert_eq!(banned_at(&mut bans, (0..500).map(|n| (0, rarely(n)))), None);
        let slowly = (0..500).map(|n| (n, Conduct::Garbage));
        assert_eq!(banned_at(&mut bans, slowly), None, "a telephone that is only broken");
        assert_eq!(banned_at(&mut bans, (0..500).map(|n| (900, mostly(n)))), Some(99));
        assert!(bans.is_banned(A, 959) && !bans.is_banned(A, 960));
        assert!(!bans.is_banned(B, 901));
    }

    #[test]
    fn over_the_rate_for_long_is_banned_and_a_burst_is_not() {
        let mut bans = bans();
        let burst = (0..9).flat_map(|second| [(second, Conduct::Over); 500]);
        assert_eq!(banned_at(&mut bans, burst), None);
        let pauses = (100..200).map(|second| (second * 2, Conduct::Over));
        assert_eq!(banned_at(&mut bans, pauses), None);
        let long = (500..600).map(|second| (second, Conduct::Over));
        assert_eq!(banned_at(&mut bans, long), Some(9));
    }

    #[test]
    fn a_ban_doubles_has_an_end_and_is_forgiven() {
        let mut bans = bans();
        let mut length = |from: u64| {
            banned_at(&mut bans, (0..500).map(|_| (from, Conduct::Garbage))).expect("banned");
            (1..).find(|n| !bans.is_banned(A, from + n)).expect("an end")
        };
        assert_eq!([length(0), length(100), length(300)], [60, 120, 240]);
        assert_eq!((0..9).map(|n| length(1_000 + n * 4_000)).max(), Some(3_600));
        assert_eq!(length(1_000_000), 60);
    }

    #[test]
    fn the_tables_are_bounded() {
        let mut bans = bans();
        for n in 0..1_000_u32 {
            let source = IpAddr::V4(std::net::Ipv4Addr::from_bits(n));
            for _ in 0..100 {
                bans.note(source, 0, Conduct::Garbage);
            }
        }
        assert_eq!((bans.watched.len(), bans.banned.len()), (10, 10));
    }
}
