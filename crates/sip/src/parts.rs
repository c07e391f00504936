//! The parts of a message body (RFC 2046 section 5.1, RFC 5621): a session description comes alone,
//! or beside what a telephone network or an emergency call adds.

use model::limits;

use crate::addr;
use crate::wire::{self, Name};

/// The body holds what we would have to understand, and do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Foreign;

/// The session description in a body of this Content-Type and Content-Disposition; `None` when
/// there is none and nothing that has to be understood.
///
/// # Errors
/// [`Foreign`].
pub(crate) fn description<'a>(
    kind: &str,
    disposition: &str,
    body: &'a [u8],
) -> Result<Option<&'a [u8]>, Foreign> {
    let (name, params) = kind.split_at(kind.find(';').unwrap_or(kind.len()));
    let name = name.trim();
    if body.is_empty() {
        return Ok(None);
    }
    if is_sdp(name) {
        return Ok(Some(body));
    }
    let multipart = name.get(..10).is_some_and(|n| n.eq_ignore_ascii_case("multipart/"));
    match addr::param(params, "boundary").filter(|_| multipart) {
        Some(boundary) => among(boundary.trim_matches('"'), body),
        None if is_optional(disposition) => Ok(None),
        None => Err(Foreign),
    }
}

fn is_sdp(kind: &str) -> bool {
    kind.eq_ignore_ascii_case("application/sdp")
}

/// The `handling` of a Content-Disposition (RFC 3261 section 20.11).
fn handling(disposition: &str) -> Option<&str> {
    let at = disposition.find(';')?;
    addr::param(&disposition[at..], "handling")
}

fn is_optional(disposition: &str) -> bool {
    handling(disposition).is_some_and(|handling| handling.eq_ignore_ascii_case("optional"))
}

/// The first description among several parts, or `None` when all of them may be passed over. What
/// is beside a description was not asked for and is passed over, unless its sender insists.
fn among<'a>(boundary: &str, body: &'a [u8]) -> Result<Option<&'a [u8]>, Foreign> {
    let (mut found, mut seen, mut foreign) = (None, false, false);
    for part in parts(boundary, body).take(limits::SIP_BODY_PARTS_MAX) {
        let (kind, disposition, content) = read(part);
        seen = true;
        foreign |= !is_sdp(&kind) && !disposition.eq_ignore_ascii_case("optional");
        if is_sdp(&kind) {
            found = found.or(Some(content));
        } else if disposition.eq_ignore_ascii_case("required") {
            return Err(Foreign);
        }
    }
    let none_needed = seen && !foreign;
    if found.is_some() || none_needed { Ok(found) } else { Err(Foreign) }
}

/// What stands between the delimiters.
fn parts<'a>(boundary: &str, body: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let delimiter = format!("--{boundary}").into_bytes();
    let mut rest = after(body, &delimiter);
    std::iter::from_fn(move || {
        let part = rest?;
        let end = next(part, &delimiter)?;
        rest = after(&part[end..], &delimiter);
        // The line break before a delimiter belongs to it.
        Some(part[..end].strip_suffix(b"\r\n").unwrap_or(&part[..end]))
    })
}

/// The place of the next delimiter that begins a line.
fn next(text: &[u8], delimiter: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(place) = wire::find(&text[from..], delimiter) {
        let place = from + place;
        if place == 0 || text[..place].ends_with(b"\n") {
            return Some(place);
        }
        from = place + delimiter.len();
    }
    None
}

/// What follows the line of the next delimiter, unless it is the last one.
fn after<'a>(text: &'a [u8], delimiter: &[u8]) -> Option<&'a [u8]> {
    let line = &text[next(text, delimiter)? + delimiter.len()..];
    let end = wire::find(line, b"\r\n")?;
    (!line.starts_with(b"--")).then_some(&line[end + 2..])
}

/// Content-Type without parameters, `handling`, and the content of one part.
fn read(part: &[u8]) -> (String, String, &[u8]) {
    // A part may have no headers at all: then it begins with the empty line.
    let (headers, content) = match part.strip_prefix(b"\r\n") {
        Some(content) => (&part[..0], content),
        None => match wire::find(part, b"\r\n\r\n") {
            Some(end) => (&part[..end], &part[end + 4..]),
            None => (part, &part[part.len()..]),
        },
    };
    let (mut kind, mut disposition) = (String::new(), String::new());
    for field in wire::lines(headers).filter_map(|line| wire::read_field(line).ok()) {
        match field.name {
            Name::ContentType => {
                field.value.split(';').next().unwrap_or("").trim().clone_into(&mut kind);
            }
            Name::ContentDisposition => {
                handling(&field.value).unwrap_or("").clone_into(&mut disposition);
            }
            _ => {}
        }
    }
    (kind, disposition, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIXED: &str = "multipart/mixed; boundary=\"unique-1\"";
    const BODY: &str = "preamble --unique-1\r\n--unique-1\r\n\
        Content-Type: application/SDP;\r\n x=y\r\n\r\nv=0\r\ns=--unique-1\r\n\r\n\
        --unique-1 \r\nc: application/ISUP;version=nxv3\r\n\
        Content-Disposition: signal;handling=optional\r\n\r\n\x01\x02\r\n--unique-1--\r\n";

    const ISUP: &str = "--unique-1\r\nContent-Type: application/ISUP\r\n\
        Content-Disposition: signal;handling=optional\r\n\r\n\x01\x02\r\n--unique-1--\r\n";

    fn of(kind: &str, disposition: &str, body: &str) -> Result<Option<String>, Foreign> {
        let found = description(kind, disposition, body.as_bytes())?;
        Ok(found.map(|sdp| String::from_utf8_lossy(sdp).into_owned()))
    }

    #[test]
    fn a_description_is_found_alone_and_among_others() {
        assert_eq!(of("application/SDP ;charset=utf-8", "", "v=0"), Ok(Some("v=0".to_owned())));
        assert_eq!(of("", "", ""), Ok(None));
        let expected = Ok(Some("v=0\r\ns=--unique-1\r\n".to_owned()));
        assert_eq!(of(MIXED, "", BODY), expected);
        // Cut off behind the description.
        assert_eq!(of(MIXED, "", &BODY[..BODY.find("c:").unwrap()]), expected);
        let bare = "--unique-1\r\n\r\nhello\r\n--unique-1--\r\n";
        for (kind, disposition, body, expected) in [
            ("text/plain", "", "hello", Err(Foreign)),
            ("text/plain", "render;handling=optional", "hello", Ok(None)),
            ("text/plain", "render;handling=required", "hello", Err(Foreign)),
            (MIXED, "", bare, Err(Foreign)),
            (MIXED, "", "no delimiter", Err(Foreign)),
            (MIXED, "", ISUP, Ok(None)),
            (MIXED, "", &ISUP.replace(";handling=optional", ""), Err(Foreign)),
            ("multipart/mixed", "", BODY, Err(Foreign)),
            (MIXED, "", &BODY.replace("optional", "required"), Err(Foreign)),
        ] {
            assert_eq!(of(kind, disposition, body), expected, "{kind} {disposition} {body}");
        }
        let many = "--unique-1\r\n\r\n".repeat(limits::SIP_BODY_PARTS_MAX) + BODY;
        assert_eq!(of(MIXED, "", &many), Err(Foreign), "so far nobody looks");
    }
}
