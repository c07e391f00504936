//! Keys of callers on their way to the cell, and the digits of secrets, which never get there.
//!
//! Invariant: a leg whose cell has said how keys are passed passes a key in clear only when the
//! cell wants one, and then no other until it has spoken again. Digits are held in memory alone,
//! so many as `model::limits` allows, and overwritten when they are let go, with the leg at the
//! latest.

use std::collections::BTreeMap;
use std::fmt;

use model::effect::KeyMode;
use model::id::{LegId, SecretId};
use model::{Input, limits};
use zeroize::Zeroizing;

const KEYS_MAX: usize = limits::COLLECT_DIGITS_MAX as usize;

/// Keys in a place of fixed size that never moves, so that no copy is left behind.
struct Keys {
    keys: Zeroizing<Box<[u8]>>,
    length: usize,
}

impl Keys {
    fn new() -> Self {
        Self { keys: Zeroizing::new(vec![0; KEYS_MAX].into()), length: 0 }
    }

    fn push(&mut self, key: u8) {
        if let Some(place) = self.keys.get_mut(self.length) {
            *place = key;
            self.length += 1;
        }
    }

    fn pop_first(&mut self) -> Option<u8> {
        if self.length == 0 {
            return None;
        }
        let first = self.keys[0];
        self.keys.copy_within(1.., 0);
        self.keys[KEYS_MAX - 1] = 0;
        self.length -= 1;
        Some(first)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

/// What is typed on one leg.
#[derive(Debug)]
struct Keyboard {
    mode: KeyMode,
    /// Typed and not passed yet.
    held: Keys,
    /// So many of them were typed before the one key that alone is wanted was asked for.
    early: usize,
    /// The newest secret and its length: its digits are counted and let go.
    secret: Option<(SecretId, usize)>,
}

impl Keyboard {
    fn new() -> Self {
        Self { mode: KeyMode::Hold, held: Keys::new(), early: 0, secret: None }
    }

    /// Takes over what the cell said.
    fn set(&mut self, mode: KeyMode) {
        match mode {
            // Nobody refuses by a key that was typed before they were asked.
            KeyMode::Only(_) if mode != self.mode => self.early = self.held.length,
            KeyMode::Secret { secret, .. }
                if self.secret.is_none_or(|(newest, _)| newest != secret) =>
            {
                self.secret = Some((secret, 0));
            }
            _ => {}
        }
        self.mode = mode;
    }

    /// The next thing to tell the cell about a held key; none when there is nothing to tell yet.
    fn pass(&mut self, leg: LegId) -> Option<Input> {
        loop {
            if matches!(self.mode, KeyMode::Hold) {
                return None;
            }
            let key = self.next()?;
            match self.mode {
                KeyMode::Hold | KeyMode::Drop => {}
                KeyMode::One | KeyMode::Only(_) => {
                    self.mode = KeyMode::Hold;
                    return Some(Input::Digit { leg, digit: char::from(key) });
                }
                KeyMode::Secret { secret, digits_max, terminator } => {
                    let is_end = char::from(key) == terminator;
                    if is_end || key.is_ascii_digit() {
                        let digits = self.count(is_end);
                        if is_end || digits >= usize::from(digits_max) {
                            self.mode = KeyMode::Hold;
                        }
                        return Some(Input::SecretKey { leg, secret, is_end });
                    }
                }
            }
        }
    }

    /// Takes out the held key that is to be looked at: the first, or the one that alone is wanted.
    fn next(&mut self) -> Option<u8> {
        let KeyMode::Only(wanted) = self.mode else { return self.held.pop_first() };
        let fresh = &self.held.keys[self.early..self.held.length];
        let place = self.early + fresh.iter().position(|key| char::from(*key) == wanted)?;
        self.held.keys[..=place].rotate_right(1);
        self.held.pop_first()
    }

    /// Counts a key of the newest secret. Gives how many digits it has.
    fn count(&mut self, is_end: bool) -> usize {
        let Some((_, digits)) = &mut self.secret else { return 0 };
        *digits += usize::from(!is_end);
        *digits
    }
}

/// The keyboards of all legs whose cell has spoken of them.
#[derive(Debug, Default)]
pub(crate) struct Keyboards {
    legs: BTreeMap<LegId, Keyboard>,
}

impl Keyboards {
    /// The cell says how keys are passed from now on. Gives what it is to be told at once.
    pub(crate) fn announce(&mut self, leg: LegId, mode: KeyMode, confirm: bool) -> Vec<Input> {
        let keyboard = self.legs.entry(leg).or_insert_with(Keyboard::new);
        keyboard.set(mode);
        let held = confirm.then_some(Input::KeysHeld { leg });
        held.into_iter().chain(std::iter::from_fn(|| keyboard.pass(leg))).collect()
    }

    /// A key was pressed. Gives what the cell is to be told.
    pub(crate) fn key(&mut self, leg: LegId, digit: char) -> Vec<Input> {
        let Some(keyboard) = self.legs.get_mut(&leg) else {
            return vec![Input::Digit { leg, digit }];
        };
        // What is no key of a telephone is nobody's.
        if let Ok(key) = u8::try_from(digit) {
            keyboard.held.push(key);
        }
        std::iter::from_fn(|| keyboard.pass(leg)).collect()
    }

    /// The leg is over.
    pub(crate) fn forget(&mut self, leg: LegId) {
        self.legs.remove(&leg);
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use model::id::IdMint;

    use super::*;

    fn type_in(keyboards: &mut Keyboards, leg: LegId, keys: &str) -> Vec<Input> {
        keys.chars().flat_map(|key| keyboards.key(leg, key)).collect()
    }

    fn secret(secret: SecretId) -> KeyMode {
        KeyMode::Secret { secret, digits_max: 4, terminator: '#' }
    }

    #[test]
    fn what_is_typed_ahead_of_a_secret_is_part_of_it() {
        let mut mint = IdMint::new(1);
        let (leg, pin): (LegId, SecretId) =
            (mint.mint(Timestamp::default()), mint.mint(Timestamp::default()));
        let mut keyboards = Keyboards::default();
        assert!(keyboards.announce(leg, KeyMode::Hold, false).is_empty());
        assert!(type_in(&mut keyboards, leg, "14711#2").is_empty());
        let menu = keyboards.announce(leg, KeyMode::One, false);
        assert_eq!(menu, [Input::Digit { leg, digit: '1' }]);
        let digit = Input::SecretKey { leg, secret: pin, is_end: false };
        assert_eq!(keyboards.announce(leg, secret(pin), false), vec![digit; 4]);
        let keyboard = &keyboards.legs[&leg];
        assert_eq!(keyboard.secret, Some((pin, 4)));
        assert_eq!(&keyboard.held.keys[..3], b"#2\0", "the rest is for whoever asks next");
    }

    #[test]
    fn a_secret_ends_at_its_terminator_and_a_retry_is_another() {
        let mut mint = IdMint::new(1);
        let leg: LegId = mint.mint(Timestamp::default());
        let [first, second]: [SecretId; 2] = [0, 1].map(|_| mint.mint(Timestamp::default()));
        let mut keyboards = Keyboards::default();
        keyboards.announce(leg, secret(first), false);
        let told = type_in(&mut keyboards, leg, "4*7#1");
        let key = |secret, is_end| Input::SecretKey { leg, secret, is_end };
        assert_eq!(told, [key(first, false), key(first, false), key(first, true)]);
        assert_eq!(keyboards.announce(leg, secret(second), false), [key(second, false)]);
        keyboards.announce(leg, secret(second), false);
        assert_eq!(keyboards.legs[&leg].secret, Some((second, 1)), "said twice is once");
        keyboards.forget(leg);
        assert!(keyboards.legs.is_empty());
    }

    #[test]
    fn one_key_alone_is_wanted_and_a_confirmation_comes_behind_what_was_passed() {
        let leg: LegId = IdMint::new(1).mint(Timestamp::default());
        let mut keyboards = Keyboards::default();
        keyboards.announce(leg, KeyMode::Hold, false);
        type_in(&mut keyboards, leg, "49");
        let asked = keyboards.announce(leg, KeyMode::Only('9'), false);
        assert!(asked.is_empty(), "it was typed before anybody asked");
        assert!(type_in(&mut keyboards, leg, "12").is_empty());
        assert!(keyboards.announce(leg, KeyMode::Only('9'), false).is_empty());
        assert_eq!(type_in(&mut keyboards, leg, "9"), [Input::Digit { leg, digit: '9' }]);
        assert_eq!(keyboards.announce(leg, KeyMode::Hold, true), [Input::KeysHeld { leg }]);
        assert!(type_in(&mut keyboards, leg, "3").is_empty());
        assert_eq!(&keyboards.legs[&leg].held.keys[..5], b"49123");
        assert!(keyboards.announce(leg, KeyMode::Drop, false).is_empty());
        assert_eq!(keyboards.legs[&leg].held.length, 0);
    }

    #[test]
    fn what_is_held_is_bounded_and_a_leg_of_no_word_passes_all() {
        let mut mint = IdMint::new(1);
        let [silent, guarded]: [LegId; 2] = [0, 1].map(|_| mint.mint(Timestamp::default()));
        let mut keyboards = Keyboards::default();
        assert_eq!(type_in(&mut keyboards, silent, "47").len(), 2);
        keyboards.announce(guarded, KeyMode::Hold, false);
        type_in(&mut keyboards, guarded, &"1".repeat(5_000));
        assert_eq!(keyboards.legs[&guarded].held.length, KEYS_MAX);
        assert_eq!(format!("{:?}", keyboards.legs[&guarded].held), "Keys", "no key is shown");
    }
}
