//! Telephone numbers: what was dialled or shown as it came, and its E.164 form where it has one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits;

/// A full international number (ITU-T E.164): `+` and 7 to 15 digits, the first not 0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct E164(String);

/// Why a text is no number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Not `+` and 7 to 15 digits.
    #[error("expected + and 7 to 15 digits, as in +302105550142")]
    NotE164,
    /// Empty, too long, or a character that no telephone can dial.
    #[error("expected 1 to 64 characters of 0-9 A-Z a-z + * # - . _")]
    NotDialable,
}

impl E164 {
    /// The number with its plus sign.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for E164 {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let digits = text.strip_prefix('+').ok_or(NumberError::NotE164)?;
        let fits = (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if fits { Ok(Self(text.to_owned())) } else { Err(NumberError::NotE164) }
    }
}

impl TryFrom<String> for E164 {
    type Error = NumberError;
    fn try_from(text: String) -> Result<Self, NumberError> {
        text.parse()
    }
}

impl From<E164> for String {
    fn from(number: E164) -> Self {
        number.0
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The user part of a SIP address as it was dialled or shown: a number, an extension or a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DialString(String);

impl DialString {
    /// What was dialled.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same without a plus sign in front: by that a number plan knows a number.
    #[must_use]
    pub fn bare(&self) -> &str {
        self.0.strip_prefix('+').unwrap_or(&self.0)
    }
}

impl FromStr for DialString {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let dialable = |b: u8| b.is_ascii_alphanumeric() || b"+*#-._".contains(&b);
        let fits = (1..=limits::DIAL_STRING_CHARS_MAX).contains(&text.len());
        if fits && text.bytes().all(dialable) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NumberError::NotDialable)
        }
    }
}

impl TryFrom<String> for DialString {
    type Error = NumberError;
    fn try_from(text: String) -> Result<Self, NumberError> {
        text.parse()
    }
}

impl From<DialString> for String {
    fn from(number: DialString) -> Self {
        number.0
    }
}

impl fmt::Display for DialString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_strict() {
        for good in ["+302105550142", "+3712345"] {
            assert!(good.parse::<E164>().is_ok(), "{good}");
        }
        for bad in
            ["302105550142", "+0123456789", "+123", "+12345678901234567", "+30 210", "+٣٠٢١٠٥٥٥"]
        {
            assert!(bad.parse::<E164>().is_err(), "{bad}");
        }
        assert!("100".parse::<DialString>().is_ok());
        for bad in ["", "a b", "a\r\nb", "<x>", "ü"] {
            assert!(bad.parse::<DialString>().is_err(), "{bad}");
        }
    }
}
