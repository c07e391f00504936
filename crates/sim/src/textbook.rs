//! The textbook's queue: any arrivals, any services, `n` servers, first come first served.
//!
//! Invariant: a wait follows from the arrivals and services so far alone, by the recursion of
//! Kiefer and Wolfowitz (On the theory of queues with many servers, 1955): who comes is served
//! when the first of the servers is free.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The servers of one queue, each with the time until which it is busy.
#[derive(Debug, Clone)]
pub struct Servers {
    free_at_us: BinaryHeap<Reverse<i64>>,
}

impl Servers {
    /// `n` servers who are free from time 0 on.
    #[must_use]
    pub fn new(n: u32) -> Self {
        Self { free_at_us: (0..n).map(|_| Reverse(0)).collect() }
    }

    /// The wait of the next customer, microseconds; without any server, for ever.
    ///
    /// Customers are given in the order of their arrival, times and services in microseconds.
    pub fn serve(&mut self, arrives_at_us: i64, service_us: i64) -> i64 {
        let Some(mut first) = self.free_at_us.peek_mut() else { return i64::MAX };
        let begins_at_us = first.0.max(arrives_at_us);
        *first = Reverse(begins_at_us + service_us);
        begins_at_us - arrives_at_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_is_served_when_the_first_server_is_free() {
        let mut servers = Servers::new(2);
        assert_eq!(servers.serve(0, 10), 0);
        assert_eq!(servers.serve(1, 3), 0);
        assert_eq!(servers.serve(2, 4), 2);
        assert_eq!(servers.serve(5, 1), 3);
        assert_eq!(servers.serve(20, 1), 0);
        assert_eq!(Servers::new(0).serve(0, 1), i64::MAX);
    }
}
