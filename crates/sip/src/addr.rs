//! Reading name-addr, addr-spec, SIP URI and header parameters (RFC 3261 section 25.1), strictly.
//!
//! Nothing is copied and nothing is guessed: what does not follow the grammar is `None`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The default port of SIP over UDP (RFC 3261 section 19.1.2).
pub(crate) const SIP_PORT: u16 = 5060;

/// `"display" <uri>;params` or `uri;params`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameAddr<'a> {
    /// As written, quotes and escapes included.
    pub(crate) display: &'a str,
    pub(crate) uri: &'a str,
    /// What follows the URI, from its first `;` on.
    pub(crate) params: &'a str,
}

/// A sip: or sips: URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SipUri<'a> {
    /// Without password, escapes kept.
    pub(crate) user: &'a str,
    /// Without brackets.
    pub(crate) host: &'a str,
    pub(crate) port: Option<u16>,
    pub(crate) params: &'a str,
    /// What follows `?`.
    pub(crate) headers: &'a str,
}

pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// The end of the quoted string that begins at byte 0: the place behind the closing quote.
fn quoted_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (place, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(place + 1),
            _ => {}
        }
    }
    None
}

/// The first place of `wanted` outside quoted strings and angle brackets.
fn find_outside(text: &str, wanted: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut place, mut angle) = (memchr::memchr3(b'"', b'<', wanted, bytes)?, false);
    while place < bytes.len() {
        match bytes[place] {
            b'"' if !angle => {
                place += quoted_end(&text[place..])?;
                continue;
            }
            b'<' => angle = true,
            b'>' => angle = false,
            byte if byte == wanted && !angle => return Some(place),
            _ => {}
        }
        place += 1;
    }
    None
}

/// The values of a header that may hold several, split at commas.
pub(crate) fn list(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (value, next) = find_outside(text, b',')
            .map_or((text, None), |place| (&text[..place], Some(&text[place + 1..])));
        rest = next;
        Some(value.trim())
    })
}

/// Reads one name-addr or addr-spec with its parameters.
pub(crate) fn name_addr(value: &str) -> Option<NameAddr<'_>> {
    let value = value.trim();
    let (display, rest) = if value.starts_with('"') {
        let (display, rest) = value.split_at(quoted_end(value)?);
        (display, rest.trim_start())
    } else if let Some(place) = value.find('<') {
        let (display, rest) = value.split_at(place);
        let display = display.trim_end();
        // Letters beyond ASCII should be quoted, and can be taken for nothing else where not.
        if !display.bytes().all(|b| is_token_byte(b) || b" \t".contains(&b) || !b.is_ascii()) {
            return None;
        }
        (display, rest)
    } else {
        // Without brackets, what follows ; belongs to the header, and ? and , are forbidden.
        let place = value.find(';').unwrap_or(value.len());
        let (uri, params) = value.split_at(place);
        let uri = uri.trim_end();
        let plain = !uri.contains(|c: char| c.is_whitespace() || "?,<>\"".contains(c));
        return (plain && !uri.is_empty() && params_are_sound(params)).then_some(NameAddr {
            display: "",
            uri,
            params,
        });
    };
    let (uri, params) = rest.strip_prefix('<')?.split_once('>')?;
    let params = params.trim_start();
    let sound = !uri.is_empty()
        && !uri.contains(|c: char| c.is_whitespace() || "<>\"".contains(c))
        && params_are_sound(params);
    sound.then_some(NameAddr { display, uri, params })
}

/// Splits `;a;b=c;d="e;f"` into names and values.
pub(crate) fn params(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = text.trim();
    std::iter::from_fn(move || {
        rest = rest.strip_prefix(';')?;
        let end = find_outside(rest, b';').unwrap_or(rest.len());
        let (one, next) = rest.split_at(end);
        rest = next;
        Some(one.split_once('=').map_or((one.trim(), None), |(n, v)| (n.trim(), Some(v.trim()))))
    })
}

/// The value of a parameter, or `Some("")` for one without value.
pub(crate) fn param<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    params(text).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.unwrap_or(""))
}

/// Whether the text is empty or a list of parameters with proper names.
pub(crate) fn params_are_sound(text: &str) -> bool {
    let text = text.trim();
    if text.is_empty() {
        return true;
    }
    let value_is_sound = |value: &str| {
        if value.starts_with('"') {
            quoted_end(value) == Some(value.len())
        } else {
            !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || ",\"<>".contains(c))
        }
    };
    text.starts_with(';')
        && params(text).all(|(name, value)| is_token(name) && value.is_none_or(value_is_sound))
}

/// The scheme, lower case or not, if there is one.
pub(crate) fn scheme(uri: &str) -> Option<&str> {
    let (scheme, _) = uri.split_once(':')?;
    let tail = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(tail))
        .then_some(scheme)
}

/// Reads a sip: or sips: URI.
pub(crate) fn sip_uri(uri: &str) -> Option<SipUri<'_>> {
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
        return None;
    }
    let (userinfo, rest) = rest.split_once('@').unwrap_or(("", rest));
    let user = userinfo.split_once(':').map_or(userinfo, |(user, _)| user);
    let (rest, headers) = rest.split_once('?').unwrap_or((rest, ""));
    let (hostport, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
    let (host, port) = host_port(hostport)?;
    let sound = !uri.contains(|c: char| c.is_ascii_control() || c == ' ');
    sound.then_some(SipUri { user, host, port, params, headers })
}

/// The number or name that a sip:, sips: or tel: URI (RFC 3966) leads to.
pub(crate) fn user(uri: &str) -> Option<String> {
    match sip_uri(uri) {
        Some(uri) => Some(subscriber(uri.user)),
        None => {
            let (scheme, number) = uri.split_once(':')?;
            scheme.eq_ignore_ascii_case("tel").then(|| subscriber(number))
        }
    }
}

/// A user part without escapes and parameters (RFC 3261 section 19.1.6), and an international
/// number without what only helps the eye (RFC 3966 section 5.1.1).
pub(crate) fn subscriber(user: &str) -> String {
    let plain = unescape(user.split(';').next().unwrap_or(""));
    let for_the_eye = |c: char| "-.()".contains(c);
    let digits = plain.strip_prefix('+').unwrap_or("");
    match digits.chars().all(|c| c.is_ascii_digit() || for_the_eye(c)) && !digits.is_empty() {
        true => plain.replace(for_the_eye, ""),
        false => plain,
    }
}

/// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
pub(crate) fn host_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        (host, port)
    } else {
        let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
        let fits = !host.is_empty()
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        (fits.then_some(host)?, port)
    };
    if port.is_empty() {
        return Some((host, None));
    }
    let digits = port.strip_prefix(':')?.trim();
    let port = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
    Some((host, Some(port)))
}

/// Where a URI leads, if its host is an address.
pub(crate) fn socket_addr(uri: &str) -> Option<SocketAddr> {
    let uri = sip_uri(uri)?;
    let host = param(uri.params, "maddr").unwrap_or(uri.host);
    let ip: IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
    Some(SocketAddr::new(ip, uri.port.unwrap_or(SIP_PORT)))
}

/// Undoes %-escapes once. Escapes that are not hexadecimal stay as they are.
pub(crate) fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while place < bytes.len() {
        let pair = bytes.get(place + 1..place + 3).and_then(|p| std::str::from_utf8(p).ok());
        match (bytes[place], pair.and_then(|p| u8::from_str_radix(p, 16).ok())) {
            (b'%', Some(byte)) if !pair.is_some_and(|p| p.starts_with('+')) => {
                out.push(byte);
                place += 3;
            }
            (byte, _) => {
                out.push(byte);
                place += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A display name for people: quotes and escapes undone, control characters removed, at most
/// `chars_max` characters.
pub(crate) fn plain_name(display: &str, chars_max: usize) -> Option<String> {
    let inner = display.strip_prefix('"').and_then(|d| d.strip_suffix('"'));
    let mut name = String::new();
    let mut escaped = false;
    for c in inner.unwrap_or(display).chars() {
        if inner.is_some() && c == '\\' && !escaped {
            escaped = true;
            continue;
        }
        escaped = false;
        if !c.is_control() {
            name.push(c);
        }
    }
    let name: String = name.trim().chars().take(chars_max).collect();
    (!name.is_empty()).then_some(name)
}

/// A quoted string that no peer can break out of: control characters dropped, `"` and `\` escaped.
pub(crate) fn quote(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    for c in name.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_addr_follows_the_grammar() {
        let read = |v| name_addr(v).map(|n| (n.display, n.uri, n.params));
        assert_eq!(read("sip:a@b ;   tag    = 19"), Some(("", "sip:a@b", ";   tag    = 19")));
        assert_eq!(read("caller<sip:a@b>;tag=1"), Some(("caller", "sip:a@b", ";tag=1")));
        assert_eq!(read("Jö\u{fffd} K <sip:a@b>"), Some(("Jö\u{fffd} K", "sip:a@b", "")));
        assert_eq!(read(r#""x \" y"   <sip:a@b>"#), Some((r#""x \" y""#, "sip:a@b", "")));
        assert_eq!(read("<sip:a@b;p=1?h=2>"), Some(("", "sip:a@b;p=1?h=2", "")));
        for bad in [
            "",
            "\"open <sip:a@b>",
            "Bell, A <sip:a@b>",
            "< sip:a@b >",
            "<sip:a@b",
            "sip:a@b?x=y",
            "<sip:a@b>;;",
            "<sip:a@b>;tag=",
            "<sip:a@b> x",
            "<>",
            "\"a\" sip:a@b",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(param(";x=\"a;tag=9\";Tag = 7", "tag"), Some("7"));
        let values: Vec<_> = list(r#""a,b" <sip:x,y@z>, sip:b@c,"#).collect();
        assert_eq!(values, [r#""a,b" <sip:x,y@z>"#, "sip:b@c", ""]);
    }

    #[test]
    fn uris_are_read_and_refused() {
        let uri = sip_uri("sip:user;par=u%40x@[2001:db8::9]:5070;lr?h=1").unwrap();
        assert_eq!((uri.user, uri.host, uri.port), ("user;par=u%40x", "2001:db8::9", Some(5070)));
        assert_eq!((uri.params, uri.headers), (";lr", "h=1"));
        for bad in [
            "sip:2001:db8::10",
            "sip:a@[2001:db8:::192.0.2.1]",
            "sip:",
            "http:a",
            "sip:a@b:99999",
            "sip:a@b c",
            "sip:a@b:+5",
        ] {
            assert_eq!(sip_uri(bad), None, "{bad}");
        }
        assert_eq!(socket_addr("sip:a@192.0.2.1"), Some("192.0.2.1:5060".parse().unwrap()));
        assert_eq!(socket_addr("sip:a@example.org"), None);
    }

    #[test]
    fn users_are_numbers_and_names() {
        for (uri, expected) in [
            ("sip:100@x", Some("100")),
            ("sips:%23100;phone-context=x@x:5061;user=phone", Some("#100")),
            ("sip:+30-210-555.01(42);npdi;rn=+309@x", Some("+302105550142")),
            ("tel:+30-210-5550142;phone-context=x", Some("+302105550142")),
            ("TEL:100", Some("100")),
            ("sip:desk-1@x", Some("desk-1")),
            ("sip:x", Some("")),
            ("mailto:a@x", None),
        ] {
            assert_eq!(user(uri).as_deref(), expected, "{uri}");
        }
    }

    #[test]
    fn names_cannot_smuggle() {
        assert_eq!(plain_name("\"a\\\"b\r\nVia: x\"", 64).unwrap(), "a\"bVia: x");
        assert_eq!(plain_name("\"\"", 64), None);
        assert_eq!(plain_name("abcdef", 3).unwrap(), "abc");
        assert_eq!(quote("a\"\r\nVia: \\"), "\"a\\\"Via: \\\\\"");
        assert_eq!(unescape("%73ip%2541%zz%+1%"), "sip%41%zz%+1%");
    }
}
