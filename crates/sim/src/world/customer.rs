//! Customers: they ring, listen, press keys (some of them wrong), wait as long as they can bear,
//! and hang up whenever they like.

use model::media::{ClipId, Hears};
use model::sip::LegCause;
use model::{CallId, Input, LegId, Span, Timestamp};

use super::{Happening, START, World};
use crate::tenant;
use crate::trace::Failure;

/// Pause between two keys of a number, milliseconds.
const KEY_MS: i64 = 350;

/// Somebody who rang.
#[derive(Debug, Clone)]
pub(super) struct Customer {
    pub(super) call: Option<CallId>,
    pub(super) up: bool,
    pub(super) rang_at: Timestamp,
    waits: bool,
    pub(super) talks_since: Option<Timestamp>,
}

impl World {
    pub(super) fn plan_arrival(&mut self) {
        let gap = self.exponential(3_600.0 / self.scenario.arrivals_per_hour);
        let at = self.now + gap;
        if self.arrivals < self.scenario.arrivals_max && at < self.open_until {
            self.agenda.add(at, Happening::Arrival);
        } else {
            self.open_until = self.open_until.min(at);
            let close = Span::from_secs(self.scenario.close_s);
            self.close_at = self.open_until + close;
        }
    }

    pub(super) fn arrive(&mut self) -> Result<(), Failure> {
        self.arrivals += 1;
        self.plan_arrival();
        self.diary.rang += 1;
        let leg: LegId = self.mint.mint(self.now);
        let party = self.mint.mint(self.now);
        let customer =
            Customer { call: None, up: false, rang_at: self.now, waits: false, talks_since: None };
        self.customers.insert(leg, customer);
        if self.chance(self.scenario.people.leave_early) {
            // Some before the answer.
            let most_ms = if self.chance(300) { 80 } else { 15_000 };
            let at = self.soon(most_ms);
            self.agenda.add(at, Happening::Leaves(leg));
        }
        let unknown = !self.scenario.plain_queue && self.chance(10);
        let dialled = if unknown {
            "999".parse().expect("a number that can be dialled")
        } else {
            tenant::number()
        };
        let caller = (!self.arrivals.is_multiple_of(7))
            .then(|| format!("+30210555{:04}", self.arrivals % 10_000))
            .and_then(|text| text.parse().ok());
        let input = Input::CallOffered { leg, caller, party, dialled };
        if self.chance(self.scenario.faults.duplicated) {
            self.feed(input.clone())?;
        }
        if self.chance(self.scenario.faults.leg_failed) {
            // As many before the answer as later.
            let most_ms = if self.chance(500) { 80 } else { 60_000 };
            let at = self.soon(most_ms);
            self.agenda.add(at, Happening::LegFails(leg));
        }
        self.feed(input)
    }

    pub(super) fn leave(&mut self, leg: LegId) -> Result<(), Failure> {
        let Some(customer) = self.customers.get(&leg) else { return Ok(()) };
        let cause = if customer.up { LegCause::FarHangup } else { LegCause::Cancelled };
        self.gone(leg, cause)
    }

    /// The planes below cannot keep the leg: no media to offer before the answer, a fault after it.
    pub(super) fn leg_fails(&mut self, leg: LegId) -> Result<(), Failure> {
        let Some(customer) = self.customers.get(&leg) else { return Ok(()) };
        let cause = match (customer.up, self.random.below(2)) {
            (false, _) => LegCause::Refused,
            (true, 0) => LegCause::InternalError,
            (true, _) => LegCause::NodeFailure,
        };
        self.gone(leg, cause)
    }

    fn gone(&mut self, leg: LegId, cause: LegCause) -> Result<(), Failure> {
        self.write_diary(leg);
        self.customers.remove(&leg);
        if self.scenario.plain_queue {
            return self.feed(Input::LegEnded { leg, cause });
        }
        self.leg_over(leg, cause);
        Ok(())
    }

    pub(super) fn press(&mut self, leg: LegId, digit: char) -> Result<(), Failure> {
        if self.customers.get(&leg).is_some_and(|customer| customer.up) {
            self.tell(0, Input::Digit { leg, digit }, None);
        }
        Ok(())
    }

    /// The customer hears something new.
    pub(super) fn customer_hears(&mut self, call: CallId, leg: LegId, hears: &Hears) {
        let now = self.now;
        let Some(customer) = self.customers.get_mut(&leg) else { return };
        customer.call = Some(call);
        match hears {
            Hears::Legs(_) => {
                customer.talks_since.get_or_insert(now);
            }
            Hears::Music(_) => {
                if !std::mem::replace(&mut customer.waits, true)
                    && customer.talks_since.is_none()
                    && let Some(patience_s) = self.scenario.people.patience_s
                {
                    let at = now + self.exponential(patience_s);
                    self.agenda.add(at, Happening::Leaves(leg));
                }
            }
            Hears::Play { clips, .. } => self.answer_prompt(leg, &clips.clone()),
            Hears::Silence => {}
        }
    }

    /// Presses what the prompt asks for, or something else, or nothing.
    fn answer_prompt(&mut self, leg: LegId, clips: &[ClipId]) {
        let asks = |name: &str| {
            self.config.prompts.values().any(|prompt| {
                prompt.name == name && prompt.variants.values().any(|v| clips.contains(&v.clip))
            })
        };
        let (menu, number, notice) = (asks("menu"), asks("number"), asks("notice"));
        if menu {
            let key = match self.random.below(26) {
                0..=8 => '1',
                9..=14 => '2',
                15 | 16 => '3',
                17 => '9',
                18 => '#',
                19 | 20 => '4',
                21 | 22 => '5',
                23 | 24 => '8',
                _ => return,
            };
            let at = self.soon(7_000);
            self.agenda.add(at, Happening::Press(leg, key));
        } else if number {
            let digits = match self.random.below(8) {
                0 => "12#",
                1 => "",
                2 => "9123#",
                3 => "123456789",
                4 => "*1#",
                _ => "1234#",
            };
            let first = self.soon(4_000);
            for (nth, digit) in (0..).zip(digits.chars()) {
                let at = first + Span::from_millis(nth * KEY_MS);
                self.agenda.add(at, Happening::Press(leg, digit));
            }
        } else if notice && self.chance(200) {
            let at = self.soon(3_400);
            self.agenda.add(at, Happening::Press(leg, '*'));
        }
    }

    /// The virtual time since the doors opened.
    #[must_use]
    pub fn elapsed(&self) -> Span {
        self.now.since(START)
    }
}
