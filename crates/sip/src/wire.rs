//! The head of a datagram, read once, by borrowing: start line and headers, long and short names.
//!
//! Reading never fails on single headers: what is wrong is kept as a fault, so that the refusal
//! can still be addressed with the headers that are sound. Bytes that are no UTF-8 are replaced,
//! which is no fault: only what identifies something must be exact.

use std::borrow::Cow;
use std::ops::Range;

/// The headers that somebody here looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Via,
    From,
    To,
    CallId,
    CSeq,
    Contact,
    MaxForwards,
    ContentLength,
    ContentType,
    ContentEncoding,
    ContentDisposition,
    Accept,
    Authorization,
    Expires,
    Require,
    ReferTo,
    ReferSub,
    Route,
    RecordRoute,
    Other,
}

const NAMES: [(&str, Name); 29] = [
    ("via", Name::Via),
    ("v", Name::Via),
    ("from", Name::From),
    ("f", Name::From),
    ("to", Name::To),
    ("t", Name::To),
    ("call-id", Name::CallId),
    ("i", Name::CallId),
    ("cseq", Name::CSeq),
    ("contact", Name::Contact),
    ("m", Name::Contact),
    ("max-forwards", Name::MaxForwards),
    ("content-length", Name::ContentLength),
    ("l", Name::ContentLength),
    ("content-type", Name::ContentType),
    ("c", Name::ContentType),
    ("content-encoding", Name::ContentEncoding),
    ("e", Name::ContentEncoding),
    ("content-disposition", Name::ContentDisposition),
    ("accept", Name::Accept),
    ("authorization", Name::Authorization),
    ("expires", Name::Expires),
    ("require", Name::Require),
    ("refer-to", Name::ReferTo),
    ("r", Name::ReferTo),
    ("refer-sub", Name::ReferSub),
    ("route", Name::Route),
    ("record-route", Name::RecordRoute),
    ("", Name::Other),
];

/// One header, unfolded.
#[derive(Debug)]
pub(crate) struct Field<'a> {
    pub(crate) name: Name,
    pub(crate) value: Cow<'a, str>,
}

/// A start line and its headers. It borrows from its datagram until it is to outlive that.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    text: Cow<'a, str>,
    start: usize,
    fields: Vec<(Name, Value)>,
    /// Where the body begins in the datagram.
    pub(crate) body_at: usize,
    /// What is wrong with the lines, if anything.
    pub(crate) fault: Option<&'static str>,
}

/// Where the value of a header is.
#[derive(Debug)]
enum Value {
    /// In the text.
    At(Range<usize>),
    /// It stood on several lines, and is on one here.
    Joined(Box<str>),
}

/// Reads the head, or `None` when the bytes are no SIP message at all.
pub(crate) fn read(datagram: &[u8]) -> Option<Head<'_>> {
    let end = find(datagram, b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&datagram[..end]);
    let start = find(text.as_bytes(), b"\r\n").unwrap_or(text.len());
    let first = &text[..start];
    // What explains a status to people may be anything (RFC 4475 section 3.1.1.12).
    let is_response = first.starts_with("SIP/");
    let foreign = first.contains(|c: char| c.is_ascii_control()) || !is_exact(first);
    if !first.contains("SIP/") || foreign && !is_response {
        return None;
    }
    let (mut fields, mut fault) = (Vec::with_capacity(16), None);
    let mut at = (start + 2).min(text.len());
    for line in lines(&text.as_bytes()[at..]) {
        match split_field(&text[at..at + line.len()]) {
            Ok((name, Value::At(place))) => {
                fields.push((name, Value::At(at + place.start..at + place.end)));
            }
            Ok(joined) => fields.push(joined),
            Err(found) => fault = Some(found),
        }
        at += line.len() + 2;
    }
    Some(Head { text, start, fields, body_at: end + 4, fault })
}

/// Whether a value is as it came, byte for byte. One that is not means another thing to whoever
/// gets it back, or to us: it identifies nothing.
pub(crate) fn is_exact(value: &str) -> bool {
    !value.contains(char::REPLACEMENT_CHARACTER)
}

/// Header after header, each with the lines that continue it.
pub(crate) fn lines(headers: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = headers;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, next) = rest.split_at(logical_line_end(rest));
        rest = next.get(2..).unwrap_or_default();
        Some(line)
    })
}

/// Reads one header.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read_field(line: &[u8]) -> Result<Field<'_>, &'static str> {
    let line = String::from_utf8_lossy(line);
    let (name, value) = split_field(&line)?;
    let value = match (value, line) {
        (Value::At(place), Cow::Borrowed(line)) => Cow::Borrowed(&line[place]),
        (Value::At(place), Cow::Owned(line)) => Cow::Owned(line[place].to_owned()),
        (Value::Joined(value), _) => Cow::Owned(value.into()),
    };
    Ok(Field { name, value })
}

/// The name of a header, and where its value is in the line.
fn split_field(line: &str) -> Result<(Name, Value), &'static str> {
    let colon = memchr::memchr(b':', line.as_bytes()).ok_or("a header has no colon")?;
    let name = line[..colon].trim_end_matches([' ', '\t']);
    if !crate::addr::is_token(name) {
        return Err("a header name is no token");
    }
    let value = line[colon + 1..].trim_matches([' ', '\t', '\r', '\n']);
    let begin = line.len() - line[colon + 1..].trim_start_matches([' ', '\t', '\r', '\n']).len();
    let value = match has_control(value) {
        false => Value::At(begin..begin + value.len()),
        true => {
            let joined = unfold(value);
            if has_bare_control(&joined) {
                return Err("a header holds control characters");
            }
            Value::Joined(joined.into())
        }
    };
    let known = NAMES.iter().find(|(text, _)| text.eq_ignore_ascii_case(name));
    Ok((known.map_or(Name::Other, |(_, name)| *name), value))
}

impl Head<'_> {
    /// The first line.
    pub(crate) fn start(&self) -> &str {
        &self.text[..self.start]
    }

    /// The values of all headers of this name, in order.
    pub(crate) fn all(&self, name: Name) -> impl Iterator<Item = &str> {
        self.each().filter(move |(of, _)| *of == name).map(|(_, value)| value)
    }

    /// All headers, in order.
    pub(crate) fn each(&self) -> impl Iterator<Item = (Name, &str)> {
        self.fields.iter().map(|(name, value)| match value {
            Value::At(place) => (*name, &self.text[place.clone()]),
            Value::Joined(value) => (*name, value.as_ref()),
        })
    }

    /// The first value of this name.
    pub(crate) fn first(&self, name: Name) -> Option<&str> {
        self.all(name).next()
    }

    /// The value of a header that must stand exactly once.
    pub(crate) fn only(&self, name: Name) -> Option<&str> {
        let mut values = self.all(name);
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }

    /// The same, without the datagram.
    pub(crate) fn into_owned(self) -> Head<'static> {
        let Self { text, start, fields, body_at, fault } = self;
        Head { text: Cow::Owned(text.into_owned()), start, fields, body_at, fault }
    }
}

pub(crate) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memchr_iter(needle[0], hay).find(|place| hay[*place..].starts_with(needle))
}

/// The end of a header line and the lines that continue it (RFC 3261 section 7.3.1).
fn logical_line_end(lines: &[u8]) -> usize {
    let mut from = 0;
    while let Some(place) = find(&lines[from..], b"\r\n") {
        let end = from + place;
        match lines.get(end + 2) {
            Some(b' ' | b'\t') => from = end + 2,
            _ => return end,
        }
    }
    lines.len()
}

/// Joins the lines of one header.
fn unfold(value: &str) -> String {
    let lines: Vec<&str> = value.split("\r\n").map(|l| l.trim_matches([' ', '\t'])).collect();
    lines.join(" ")
}

/// Whether there is any control character: nearly never, so this is what must be quick.
fn has_control(value: &str) -> bool {
    value.bytes().fold(false, |any, byte| any | (byte < 0x20) | (byte == 0x7f))
}

/// Control characters are allowed only as a pair in a quoted string (RFC 3261 section 25.1), never
/// CR or LF.
fn has_bare_control(value: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    value.bytes().any(|byte| {
        let pair = std::mem::take(&mut escaped);
        match byte {
            b'\r' | b'\n' => return true,
            _ if pair => return false,
            b'"' => quoted = !quoted,
            b'\\' => escaped = quoted,
            _ => {}
        }
        byte < 0x20 && byte != b'\t' || byte == 0x7f
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_and_short_headers_are_read() {
        let head =
            read(b"OPTIONS sip:a SIP/2.0\r\nTO :\r\n sip:b ;\r\n\ttag=1\r\nl: 0\r\n\r\nx").unwrap();
        assert_eq!(head.only(Name::To), Some("sip:b ; tag=1"));
        assert_eq!(head.only(Name::ContentLength), Some("0"));
        assert_eq!((head.fault, head.body_at), (None, 55));
    }

    #[test]
    fn smuggling_is_a_fault() {
        for bad in [
            "X: a\nVia: b",
            "X: a\rVia: b",
            "X: a\0",
            "X: a\\\0",
            "X: \"\\\\\0\"",
            "X: \"a\\\r\"",
            "no colon",
            "a b: c",
            "\x01: c",
        ] {
            let text = format!("OPTIONS sip:a SIP/2.0\r\n{bad}\r\n\r\n");
            assert!(read(text.as_bytes()).unwrap().fault.is_some(), "{bad:?}");
        }
        let pair = read(b"OPTIONS sip:a SIP/2.0\r\nX: \"\\\0\\\"\x20\"\r\n\r\n").unwrap();
        assert_eq!(pair.fault, None, "a pair in a quoted string");
        assert!(read(b"hello\r\n\r\n").is_none());
        assert!(read(b"OPTIONS sip:a SIP/2.0\r\n").is_none());
    }

    #[test]
    fn bytes_that_are_no_utf8_are_replaced() {
        let head = read(b"SIP/2.0 200 Tr\xe8s\tbien\r\nX: \xff\r\nl: 1\r\n\r\n\xff").unwrap();
        assert_eq!((head.fault, head.body_at), (None, 37));
        assert_eq!(head.start(), "SIP/2.0 200 Tr\u{fffd}s\tbien");
        assert_eq!(head.first(Name::Other), Some("\u{fffd}"));
        assert_eq!(head.first(Name::ContentLength), Some("1"));
        // What is asked for must be clear.
        assert!(read(b"OPTIONS sip:\xff SIP/2.0\r\n\r\n").is_none());
        assert!(read(b"OPTIONS sip:a\t SIP/2.0\r\n\r\n").is_none());
        let field = read_field(b"c: text/plain;x=\xff").unwrap();
        assert_eq!((field.name, &*field.value), (Name::ContentType, "text/plain;x=\u{fffd}"));
    }
}
