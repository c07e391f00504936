//! Host names of tenants: what stands behind the `@` of a SIP address.
//!
//! Invariant: equal domains are equal texts, because a domain is kept in one form only.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits;

/// A host name (RFC 1123 section 2.1) of two labels or more, in lower case and without a final dot.
///
/// Fewer labels are names of this house alone (`localhost`), and an address is no name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

/// Why a text is no domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// Longer than a name can be.
    #[error(
        "a domain has at most {} characters, and each part at most {}",
        limits::DOMAIN_CHARS_MAX,
        limits::DOMAIN_LABEL_CHARS_MAX
    )]
    TooLong,
    /// One label, or none.
    #[error("a domain has at least two parts, as in calls.example.org")]
    OneLabel,
    /// A label that is empty, begins or ends with a hyphen, or holds another character.
    #[error("the parts of a domain hold only a-z, 0-9 and inner hyphens (others as xn--)")]
    BadLabel,
    /// The last label does not begin with a letter (RFC 3261 section 25.1, `toplabel`).
    #[error("the last part of a domain begins with a letter: an address is no domain")]
    NoName,
}

impl Domain {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = DomainError;
    fn from_str(text: &str) -> Result<Self, DomainError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.len() > limits::DOMAIN_CHARS_MAX {
            return Err(DomainError::TooLong);
        }
        for label in name.split('.') {
            if label.len() > limits::DOMAIN_LABEL_CHARS_MAX {
                return Err(DomainError::TooLong);
            }
            let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            let sound = !label.is_empty() && label.bytes().all(inner);
            if !sound || label.starts_with('-') || label.ends_with('-') {
                return Err(DomainError::BadLabel);
            }
        }
        let (_, last) = name.rsplit_once('.').ok_or(DomainError::OneLabel)?;
        if !last.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(DomainError::NoName);
        }
        Ok(Self(name.to_ascii_lowercase()))
    }
}

impl TryFrom<String> for Domain {
    type Error = DomainError;
    fn try_from(text: String) -> Result<Self, DomainError> {
        text.parse()
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_has_one_form() {
        for text in ["calls.example.org", "Calls.EXAMPLE.Org", "calls.example.org."] {
            assert_eq!(text.parse::<Domain>().unwrap().as_str(), "calls.example.org", "{text}");
        }
        assert!("xn--mxail5aa.example".parse::<Domain>().is_ok());
        assert!("1.2a.b3".parse::<Domain>().is_ok());
    }

    #[test]
    fn what_is_no_domain_is_refused_with_the_reason() {
        let refused = |text: &str| text.parse::<Domain>().unwrap_err();
        for text in
            ["", ".", "a..b", ".a.b", "a.b..", "-a.b", "a-.b", "a_b.c", "a b.c", "ä.b", "a.b\r\n"]
        {
            assert_eq!(refused(text), DomainError::BadLabel, "{text:?}");
        }
        assert_eq!(refused("localhost"), DomainError::OneLabel);
        for text in ["127.0.0.1", "a.1b"] {
            assert_eq!(refused(text), DomainError::NoName, "{text}");
        }
        let label = "a".repeat(limits::DOMAIN_LABEL_CHARS_MAX);
        assert!(format!("{label}.b").parse::<Domain>().is_ok());
        assert_eq!(refused(&format!("{label}a.b")), DomainError::TooLong);
        let longest = format!("{label}.{label}.{label}.{}", &label[..61]);
        assert!(longest.parse::<Domain>().is_ok());
        assert_eq!(refused(&format!("{longest}a")), DomainError::TooLong);
    }
}
