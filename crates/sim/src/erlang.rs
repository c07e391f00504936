//! Erlang's formulas for the check of the floor against theory: B by the stable recursion, C and
//! the mean wait of M/M/n (A. K. Erlang 1917; recursion as in Cooper, Queueing Theory, 1981).

/// Erlang B: the share of calls lost at `servers` lines under `load` Erlang.
#[must_use]
pub fn blocking(servers: u32, load: f64) -> f64 {
    let mut inverse = 1.0;
    for k in 1..=servers {
        inverse = 1.0 + inverse * f64::from(k) / load;
        if inverse > 1e300 {
            return 0.0;
        }
    }
    1.0 / inverse
}

/// Erlang C: the share of calls that wait, for `load < servers`.
#[must_use]
pub fn waiting(servers: u32, load: f64) -> f64 {
    let lost = blocking(servers, load);
    let n = f64::from(servers);
    n * lost / (n - load * (1.0 - lost))
}

/// Mean wait of all calls in units of the mean service time, for `load < servers`.
#[must_use]
pub fn mean_wait(servers: u32, load: f64) -> f64 {
    waiting(servers, load) / (f64::from(servers) - load)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        // One line: B = a / (1 + a), C = a. Ten lines at 4.461 E lose 1 %.
        assert!((blocking(1, 1.0) - 0.5).abs() < 1e-12);
        assert!((waiting(1, 0.3) - 0.3).abs() < 1e-12);
        assert!((blocking(10, 4.461) - 0.01).abs() < 1e-5);
        assert!((mean_wait(1, 0.5) - 1.0).abs() < 1e-12);
        assert!(blocking(5_000, 100.0) < 1e-290);
    }
}
