//! SIP messages as plain text (RFC 3261 section 7): enough of them for a telephone.
//!
//! Reading never panics; a header is found by its long or its compact name.

use std::fmt;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// A request.
    Request {
        /// INVITE, ACK, BYE ...
        method: String,
        /// The request URI.
        uri: String,
    },
    /// A response.
    Response {
        /// 100 to 699.
        status: u16,
        /// The words beside it.
        reason: String,
    },
}

/// A message: first line, headers in order, body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The first line.
    pub start: Start,
    /// Names as they came, values trimmed.
    pub headers: Vec<(String, String)>,
    /// The body, as a rule a session description.
    pub body: String,
}

/// Why bytes are no SIP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSip {
    /// Not UTF-8, or no empty line after the headers.
    #[error("not a whole text message")]
    NotText,
    /// The first line is neither a request nor a status line.
    #[error("the first line is not SIP")]
    FirstLine,
    /// A header without a colon.
    #[error("a header has no colon")]
    Header,
}

const COMPACT: &[(&str, &str)] = &[
    ("v", "Via"),
    ("f", "From"),
    ("t", "To"),
    ("i", "Call-ID"),
    ("m", "Contact"),
    ("l", "Content-Length"),
    ("c", "Content-Type"),
];

impl Message {
    /// A request without headers.
    #[must_use]
    pub fn request(method: &str, uri: &str) -> Self {
        let start = Start::Request { method: method.to_owned(), uri: uri.to_owned() };
        Self { start, headers: Vec::new(), body: String::new() }
    }

    /// A response to `request` with the headers that every response copies (section 8.2.6.2).
    #[must_use]
    pub fn response(request: &Self, status: u16, to_tag: &str) -> Self {
        let start = Start::Response { status, reason: reason(status).to_owned() };
        let mut response = Self { start, headers: Vec::new(), body: String::new() };
        for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
            for value in request.all(name) {
                let untagged = name == "To" && status > 100 && tag(value).is_none();
                let value = if untagged { format!("{value};tag={to_tag}") } else { value.into() };
                response.headers.push((name.to_owned(), value));
            }
        }
        response
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a session description.
    #[must_use]
    pub fn with_sdp(mut self, sdp: String) -> Self {
        self.headers.push(("Content-Type".to_owned(), "application/sdp".to_owned()));
        self.body = sdp;
        self
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// [`NotSip`] when it is no SIP message.
    pub fn parse(datagram: &[u8]) -> Result<Self, NotSip> {
        let text = std::str::from_utf8(datagram).map_err(|_| NotSip::NotText)?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or(NotSip::NotText)?;
        let mut lines = head.split("\r\n");
        let start = first_line(lines.next().unwrap_or_default()).ok_or(NotSip::FirstLine)?;
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            // A folded line goes on with the header before it (section 7.3.1).
            if let (true, Some((_, value))) = (line.starts_with([' ', '\t']), headers.last_mut()) {
                value.push(' ');
                value.push_str(line.trim());
                continue;
            }
            let (name, value) = line.split_once(':').ok_or(NotSip::Header)?;
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        Ok(Self { start, headers, body: body.to_owned() })
    }

    /// Every value of a header.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(own, _)| same_name(own, name)).map(|(_, v)| v.as_str())
    }

    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| same_name(own, name)).map(|(_, v)| v.as_str())
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        match &self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The status of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match &self.start {
            Start::Request { .. } => None,
            Start::Response { status, .. } => Some(*status),
        }
    }

    /// Number and method of the CSeq header.
    #[must_use]
    pub fn cseq(&self) -> Option<(u32, &str)> {
        let (number, method) = self.header("CSeq")?.split_once(' ')?;
        Some((number.parse().ok()?, method.trim()))
    }

    /// The branch of the topmost Via: names the transaction.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        parameter(self.header("Via")?.split(',').next()?, "branch")
    }

    /// What the diary calls it: `INVITE` or `200 INVITE`.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.start {
            Start::Request { method, .. } => method.clone(),
            Start::Response { status, .. } => {
                format!("{status} {}", self.cseq().map_or("?", |(_, method)| method))
            }
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.start {
            Start::Request { method, uri } => write!(f, "{method} {uri} SIP/2.0\r\n")?,
            Start::Response { status, reason } => write!(f, "SIP/2.0 {status} {reason}\r\n")?,
        }
        for (name, value) in &self.headers {
            write!(f, "{name}: {value}\r\n")?;
        }
        write!(f, "Content-Length: {}\r\n\r\n{}", self.body.len(), self.body)
    }
}

fn first_line(line: &str) -> Option<Start> {
    if let Some(rest) = line.strip_prefix("SIP/2.0 ") {
        let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let status = status.parse().ok().filter(|status| (100..700).contains(status))?;
        return Some(Start::Response { status, reason: reason.to_owned() });
    }
    let (method, rest) = line.strip_suffix(" SIP/2.0")?.split_once(' ')?;
    let token = !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase());
    token.then(|| Start::Request { method: method.to_owned(), uri: rest.to_owned() })
}

fn same_name(own: &str, name: &str) -> bool {
    own.eq_ignore_ascii_case(name)
        || COMPACT
            .iter()
            .any(|(short, long)| own.eq_ignore_ascii_case(short) && long.eq_ignore_ascii_case(name))
}

/// A parameter behind a header's value: `;name=value`.
#[must_use]
pub fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    // Parameters of the URI stand inside the angle brackets and are not ours.
    let outside = value.rsplit_once('>').map_or(value, |(_, rest)| rest);
    outside.split(';').skip(1).find_map(|pair| {
        let (own, value) = pair.split_once('=')?;
        own.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The tag of a From or To value.
#[must_use]
pub fn tag(value: &str) -> Option<&str> {
    parameter(value, "tag")
}

/// The URI inside a From, To, Contact or Route value.
#[must_use]
pub fn uri(value: &str) -> &str {
    match value.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or(rest),
        None => value.split(';').next().unwrap_or(value).trim(),
    }
}

/// The user part of a SIP URI.
#[must_use]
pub fn user(uri: &str) -> &str {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    rest.split_once('@').map_or("", |(user, _)| user)
}

fn reason(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        200 => "OK",
        404 => "Not Found",
        405 => "Method Not Allowed",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        603 => "Decline",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:100@127.0.0.1:5060 SIP/2.0\r\n\
        v: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bKabc\r\n\
        f: \"A > B\" <sip:+302105550142@127.0.0.1;x=1>;tag=one\r\n\
        To: <sip:100@127.0.0.1>\r\n\
        Call-ID: 77@x\r\nCSeq: 3 INVITE\r\nSubject: a\r\n b\r\nContent-Length: 2\r\n\r\nv=";

    #[test]
    fn a_request_is_read_and_written() {
        let message = Message::parse(INVITE.as_bytes()).expect("a good message");
        assert_eq!(message.method(), Some("INVITE"));
        assert_eq!(message.cseq(), Some((3, "INVITE")));
        assert_eq!(message.branch(), Some("z9hG4bKabc"));
        let from = message.header("From").expect("it has one");
        assert_eq!((tag(from), user(uri(from))), (Some("one"), "+302105550142"));
        assert_eq!(message.header("Subject"), Some("a b"));
        let ringing = Message::response(&message, 180, "two");
        assert_eq!(ringing.header("To").and_then(tag), Some("two"));
        let again = Message::parse(ringing.to_string().as_bytes()).expect("our own message");
        assert_eq!((again.status(), again.title()), (Some(180), "180 INVITE".to_owned()));
    }

    #[test]
    fn what_is_not_sip_is_refused() {
        for bad in ["", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "SIP/2.0 99 No\r\n\r\n", "INVITE x"] {
            assert!(Message::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(Message::parse(b"BYE sip:a SIP/2.0\r\nno colon\r\n\r\n").is_err());
        assert!(Message::parse(&[0xff, 0xfe]).is_err());
        for end in 0..INVITE.len() {
            let _ = Message::parse(&INVITE.as_bytes()[..end]);
        }
    }
}
