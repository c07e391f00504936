//! The head of a datagram, read once, by borrowing: start line and headers, long and short names.
//!
//! Reading never fails on single headers: what is wrong is kept as a fault, so that the refusal
//! can still be addressed with the headers that are sound.

use std::borrow::Cow;

/// The headers that the filter looks at.
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
    Require,
    Route,
    RecordRoute,
    Other,
}

const NAMES: [(&str, Name); 24] = [
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
    ("require", Name::Require),
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

/// A start line and its headers.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    pub(crate) start: &'a str,
    pub(crate) fields: Vec<Field<'a>>,
    /// Where the body begins in the datagram.
    pub(crate) body_at: usize,
    /// Whether a header stands on several lines.
    pub(crate) folded: bool,
    /// What is wrong with the lines, if anything.
    pub(crate) fault: Option<&'static str>,
}

/// Reads the head, or `None` when the bytes are no SIP message at all.
pub(crate) fn read(datagram: &[u8]) -> Option<Head<'_>> {
    let end = find(datagram, b"\r\n\r\n")?;
    let head = &datagram[..end];
    let (start, rest) = split_start(head);
    let start = std::str::from_utf8(start).ok()?;
    if !start.contains("SIP/") || start.bytes().any(|b| b.is_ascii_control()) {
        return None;
    }
    let fields = Vec::with_capacity(16);
    let mut read = Head { start, fields, body_at: end + 4, folded: false, fault: None };
    for line in lines(rest) {
        read.folded |= line.contains(&b'\n');
        match read_field(line) {
            Ok(field) => read.fields.push(field),
            Err(fault) => read.fault = Some(fault),
        }
    }
    Some(read)
}

/// The start line of a head, and its headers.
pub(crate) fn split_start(head: &[u8]) -> (&[u8], &[u8]) {
    let end = find(head, b"\r\n").unwrap_or(head.len());
    (&head[..end], &head[(end + 2).min(head.len())..])
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
    let line = std::str::from_utf8(line).map_err(|_| "a header is not UTF-8")?;
    let (name, value) = line.split_once(':').ok_or("a header has no colon")?;
    let name = name.trim_end_matches([' ', '\t']);
    if !crate::addr::is_token(name) {
        return Err("a header name is no token");
    }
    let value = unfold(value);
    if has_control(&value) && has_bare_control(&value) {
        return Err("a header holds control characters");
    }
    let known = NAMES.iter().find(|(text, _)| text.eq_ignore_ascii_case(name));
    Ok(Field { name: known.map_or(Name::Other, |(_, name)| *name), value })
}

impl Head<'_> {
    /// The values of all headers of this name, in order.
    pub(crate) fn all(&self, name: Name) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |f| f.name == name).map(|f| f.value.as_ref())
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

/// Joins the lines of one header and trims it.
fn unfold(value: &str) -> Cow<'_, str> {
    let value = value.trim_matches([' ', '\t', '\r', '\n']);
    if value.contains("\r\n") {
        let joined: Vec<&str> = value.split("\r\n").map(|l| l.trim_matches([' ', '\t'])).collect();
        Cow::Owned(joined.join(" "))
    } else {
        Cow::Borrowed(value)
    }
}

/// Whether there is any control character: nearly never, so this is what must be quick.
fn has_control(value: &str) -> bool {
    value.bytes().fold(false, |any, byte| any | (byte < 0x20) | (byte == 0x7f))
}

/// Control characters are allowed only as a quoted pair (RFC 3261 section 25.1), never CR or LF.
fn has_bare_control(value: &str) -> bool {
    let mut previous = 0;
    value.bytes().any(|byte| {
        let quoted = previous == b'\\' && byte != b'\r' && byte != b'\n';
        previous = byte;
        (byte < 0x20 && byte != b'\t' || byte == 0x7f) && !quoted
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
        for bad in ["X: a\nVia: b", "X: a\rVia: b", "X: a\0", "no colon", "a b: c", "\x01: c"] {
            let text = format!("OPTIONS sip:a SIP/2.0\r\n{bad}\r\n\r\n");
            assert!(read(text.as_bytes()).unwrap().fault.is_some(), "{bad:?}");
        }
        assert!(read(b"OPTIONS sip:a SIP/2.0\r\nX: \xff\r\n\r\n").unwrap().fault.is_some());
        assert!(read(b"hello\r\n\r\n").is_none());
        assert!(read(b"OPTIONS sip:a SIP/2.0\r\n").is_none());
    }
}
