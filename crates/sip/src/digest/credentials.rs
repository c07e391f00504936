//! The Authorization header (RFC 7616 section 3.4), read strictly.

use std::borrow::Cow;

use model::sip::Digest;

/// How a digest is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Sha256,
    Md5,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 2] = [Self::Sha256, Self::Md5];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// Without a name it is MD5 (RFC 7616 section 3.3).
    fn read(name: Option<&str>) -> Option<Self> {
        let Some(name) = name else { return Some(Self::Md5) };
        Self::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(name))
    }
}

impl From<Digest> for Algorithm {
    fn from(digest: Digest) -> Self {
        match digest {
            Digest::Sha256 => Self::Sha256,
            Digest::Md5 => Self::Md5,
        }
    }
}

/// What somebody says to prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials<'a> {
    pub(crate) username: Cow<'a, str>,
    pub(crate) realm: Cow<'a, str>,
    pub(crate) nonce: Cow<'a, str>,
    pub(crate) uri: Cow<'a, str>,
    pub(crate) algorithm: Algorithm,
    pub(crate) client_nonce: Cow<'a, str>,
    /// The number of the request with this nonce, and its eight digits as they were sent.
    pub(crate) count: u32,
    pub(crate) count_text: &'a str,
    pub(crate) response: String,
}

impl<'a> Credentials<'a> {
    /// Reads a header value; `None` where it is no digest with `qop=auth` in a way we know. Without
    /// `qop` nothing tells a repeated request from a new one.
    pub(crate) fn read(value: &'a str) -> Option<Self> {
        let (scheme, rest) = value.trim().split_once([' ', '\t'])?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let params = params(rest)?;
        let find = |name: &str| {
            let mut same = params.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            // One that stands twice means two things.
            same.next().filter(|_| same.next().is_none()).map(|(_, value)| value)
        };
        let text = |name: &str| find(name).cloned();
        let Param::Plain(count_text) = find("nc")? else { return None };
        let is_count = count_text.len() == 8 && count_text.bytes().all(|b| b.is_ascii_hexdigit());
        let algorithm = find("algorithm").map(Param::text);
        let whole = find("qop")?.text();
        if !is_count || !whole.eq_ignore_ascii_case("auth") {
            return None;
        }
        Some(Self {
            username: text("username")?.into_text(),
            realm: text("realm")?.into_text(),
            nonce: text("nonce")?.into_text(),
            uri: text("uri")?.into_text(),
            algorithm: Algorithm::read(algorithm)?,
            client_nonce: text("cnonce")?.into_text(),
            count: u32::from_str_radix(count_text, 16).ok()?,
            count_text,
            response: find("response")?.text().to_ascii_lowercase(),
        })
    }
}

/// A value as it was written.
#[derive(Debug, Clone)]
enum Param<'a> {
    Plain(&'a str),
    Quoted(Cow<'a, str>),
}

impl<'a> Param<'a> {
    fn text(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Quoted(text) => text,
        }
    }

    fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Plain(text) => Cow::Borrowed(text),
            Self::Quoted(text) => text,
        }
    }
}

/// `name=value` or `name="value"` with commas between; `None` where it is anything else.
fn params(mut rest: &str) -> Option<Vec<(&str, Param<'_>)>> {
    let mut params = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(params);
        }
        let (name, after) = rest.split_once('=')?;
        let name = name.trim();
        let is_token = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_token || params.len() >= PARAMS_MAX {
            return None;
        }
        let after = after.trim_start();
        let (value, behind) = match after.strip_prefix('"') {
            Some(quoted) => {
                let (text, behind) = quoted_text(quoted)?;
                (Param::Quoted(text), behind)
            }
            None => {
                let end = after.find(',').unwrap_or(after.len());
                let (text, behind) = after.split_at(end);
                (Param::Plain(text.trim_end()), behind)
            }
        };
        let behind = behind.trim_start();
        if !behind.is_empty() && !behind.starts_with(',') {
            return None;
        }
        params.push((name, value));
        rest = behind;
    }
}

/// More than any telephone sends.
const PARAMS_MAX: usize = 24;

/// The text of a quoted string and what is behind its end (RFC 3261 section 25.1).
fn quoted_text(quoted: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut text = String::new();
    let mut escaped = false;
    for (at, letter) in quoted.char_indices() {
        match letter {
            _ if escaped => {
                text.push(letter);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => {
                let plain = &quoted[..at];
                let owned = plain.len() != text.len();
                let text = if owned { Cow::Owned(text) } else { Cow::Borrowed(plain) };
                return Some((text, &quoted[at + 1..]));
            }
            _ => text.push(letter),
        }
    }
    None
}
