//! What the transaction layer behind the filter would misread, mended in the datagram itself.

use std::borrow::Cow;

use crate::wire::{self, Head, Name};

/// The headers that the transaction layer takes apart.
const READ_BEHIND: [Name; 3] = [Name::Via, Name::From, Name::To];

/// Writes a Content-Length header into the buffer, for the parser behind us that takes a body for
/// absent without it. Returns the new length.
pub(super) fn insert_length(buf: &mut [u8], body_at: usize, length: usize) -> usize {
    if body_at >= length {
        return length;
    }
    let line = format!("Content-Length: {}\r\n", length - body_at);
    let grown = length + line.len();
    if grown > buf.len() {
        return length;
    }
    let place = body_at - 2;
    buf.copy_within(place..length, place + line.len());
    buf[place..place + line.len()].copy_from_slice(line.as_bytes());
    grown
}

/// Whether the parser behind us would misread what the grammar allows: blanks around `=` (RFC 3261
/// section 25.1, EQUAL), which it takes for a part of the name, and a value that begins on the line
/// below its name, which it takes with a blank in front.
pub(super) fn is_loose(head: &Head<'_>) -> bool {
    head.folded || READ_BEHIND.iter().any(|name| head.all(*name).any(has_blanks))
}

/// Whether blanks stand around some `=`.
fn has_blanks(value: &str) -> bool {
    let blank = |byte: Option<&u8>| byte.is_some_and(|b| matches!(b, b' ' | b'\t'));
    let bytes = value.as_bytes();
    let around =
        |place: usize| blank(bytes.get(place + 1)) || place > 0 && blank(bytes.get(place - 1));
    value.match_indices('=').any(|(place, _)| around(place))
}

/// Takes those blanks and line breaks out. Returns the new place of the body and the new length.
pub(super) fn tighten(buf: &mut [u8], body_at: usize, length: usize) -> (usize, usize) {
    let mut tight = Vec::with_capacity(body_at);
    let (start, headers) = wire::split_start(&buf[..body_at - 4]);
    tight.extend_from_slice(start);
    tight.extend_from_slice(b"\r\n");
    for line in wire::lines(headers) {
        match wire::read_field(line) {
            Ok(field) => {
                let name = &line[..line.iter().position(|b| *b == b':').unwrap_or(0)];
                tight.extend_from_slice(name.trim_ascii_end());
                tight.push(b':');
                match READ_BEHIND.contains(&field.name) {
                    true => tight.extend_from_slice(without_blanks(&field.value).as_bytes()),
                    false => tight.extend_from_slice(field.value.as_bytes()),
                }
            }
            // Nothing with a fault gets this far.
            Err(_) => tight.extend_from_slice(line),
        }
        tight.extend_from_slice(b"\r\n");
    }
    tight.extend_from_slice(b"\r\n");
    // It only became shorter, so it fits.
    let gone = body_at.saturating_sub(tight.len());
    buf.copy_within(body_at..length, body_at - gone);
    buf[..tight.len()].copy_from_slice(&tight);
    (body_at - gone, length - gone)
}

/// Takes the blanks around `=` out, where it does not stand in a quoted string.
pub(super) fn without_blanks(value: &str) -> Cow<'_, str> {
    if !has_blanks(value) {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in value.chars() {
        match c {
            _ if quoted => {}
            ' ' | '\t' if out.ends_with('=') => continue,
            '=' => out.truncate(out.trim_end_matches([' ', '\t']).len()),
            _ => {}
        }
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        out.push(c);
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(text: &str) -> (bool, String) {
        let mut buf = text.as_bytes().to_vec();
        let head = wire::read(text.as_bytes()).unwrap();
        let (loose, body_at) = (is_loose(&head), head.body_at);
        let (_, length) = tighten(&mut buf, body_at, text.len());
        (loose, String::from_utf8(buf[..length].to_vec()).unwrap())
    }

    #[test]
    fn blanks_around_the_equals_sign_and_line_breaks_go() {
        let loose = "INVITE sip:x SIP/2.0\r\nTO :\r\n sip:b@x ;   tag    = 19\r\n\
                     f: \"a = \\\" = b\" <sip:a@x>\r\n ;\r\n tag = 98\r\nX: a = b\r\nCSeq:\r\n 9\r\n\tINVITE\r\n\
                     Via: SIP / 2.0 / UDP x ; branch =\r\n z9hG4bK1\r\n\r\nv = 0\r\n";
        let tight = "INVITE sip:x SIP/2.0\r\nTO:sip:b@x ;   tag=19\r\n\
                     f:\"a = \\\" = b\" <sip:a@x> ; tag=98\r\nX:a = b\r\nCSeq:9 INVITE\r\n\
                     Via:SIP / 2.0 / UDP x ; branch=z9hG4bK1\r\n\r\nv = 0\r\n";
        assert_eq!(mended(loose), (true, tight.to_owned()));
        let plain = "INVITE sip:x SIP/2.0\r\nTo:<sip:b@x>;tag=19\r\nX:a = b\r\n\r\nv = 0\r\n";
        assert_eq!(mended(plain), (false, plain.to_owned()));
    }

    #[test]
    fn a_missing_length_is_written() {
        let mut buf = [0; 64];
        let text = b"INVITE sip:x SIP/2.0\r\n\r\nbody";
        buf[..text.len()].copy_from_slice(text);
        let length = insert_length(&mut buf, 24, text.len());
        assert_eq!(&buf[..length], b"INVITE sip:x SIP/2.0\r\nContent-Length: 4\r\n\r\nbody");
        assert_eq!(insert_length(&mut buf[..length], 43, length), length, "no room");
    }
}
