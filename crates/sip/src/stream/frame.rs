//! Messages out of a stream (RFC 3261 section 18.3): where one ends its Content-Length says, and
//! how the stream was cut on its way means nothing.
//!
//! Pure. Invariant: what is kept is at most one message that is not whole, of at most
//! `limits::SIP_STREAM_MESSAGE_BYTES_MAX` bytes.

use model::limits;

use crate::wire::{self, Name};

/// What a stream brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A whole message, or a keep-alive (RFC 5626 section 4.4.1).
    Message(Vec<u8>),
    /// Something of which nobody knows where it ends: nothing that follows can be read.
    Broken(Vec<u8>),
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    buffer: Vec<u8>,
    /// How far the end of the head was looked for in vain.
    searched: usize,
    /// The length of the message, once its head is whole.
    length: Option<usize>,
}

const HEAD_END: &[u8] = b"\r\n\r\n";
const BLANK: &[u8] = b"\r\n";

impl Framer {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a message has begun and is not whole. Blank lines begin none.
    pub(crate) fn is_amid(&self) -> bool {
        !HEAD_END.starts_with(&self.buffer)
    }

    /// The next thing, if it is whole.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        if self.length.is_none() {
            if self.buffer.starts_with(HEAD_END) {
                // However many come at once, one answer will do.
                let pairs = self.buffer.chunks_exact(BLANK.len());
                let blank = pairs.take_while(|pair| *pair == BLANK).count() * BLANK.len();
                self.buffer.drain(..blank - HEAD_END.len());
                return Some(Frame::Message(self.take(HEAD_END.len())));
            }
            // A blank line before a message means nothing (RFC 3261 section 7.5), unless another
            // one comes at once.
            if self.buffer.starts_with(BLANK) && self.is_amid() {
                self.take(BLANK.len());
            }
            match self.head_end() {
                Some(end) => match length(&self.buffer[..end]) {
                    Some(length) => self.length = Some(length),
                    None => return Some(self.broken()),
                },
                None if self.buffer.len() > limits::SIP_MESSAGE_BYTES_MAX => {
                    return Some(self.broken());
                }
                None => return None,
            }
        }
        let length = self.length?;
        if length > limits::SIP_STREAM_MESSAGE_BYTES_MAX {
            return Some(self.broken());
        }
        (self.buffer.len() >= length).then(|| Frame::Message(self.take(length)))
    }

    /// The place behind the head.
    fn head_end(&mut self) -> Option<usize> {
        let found = wire::find(&self.buffer[self.searched..], HEAD_END);
        let place = found.map(|place| self.searched + place + HEAD_END.len());
        // The end may come in parts.
        self.searched = self.buffer.len().saturating_sub(HEAD_END.len() - 1);
        place
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        (self.searched, self.length) = (0, None);
        let rest = self.buffer.split_off(length);
        std::mem::replace(&mut self.buffer, rest)
    }

    fn broken(&mut self) -> Frame {
        Frame::Broken(self.take(self.buffer.len()))
    }
}

/// How long the message is whose head this is. One that does not say so has no body: it is refused
/// for that, and what follows it can be read.
fn length(head: &[u8]) -> Option<usize> {
    let read = wire::read(head)?;
    let body = match read.first(Name::ContentLength) {
        None => 0,
        Some(_) => {
            let text = read.only(Name::ContentLength)?;
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse::<usize>().ok())??
        }
    };
    head.len().checked_add(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> Vec<u8> {
        let length = body.len();
        format!("INFO sip:a SIP/2.0\r\nl: {length}\r\n\r\n{body}").into_bytes()
    }

    /// What comes of a stream that arrives in pieces of this size.
    fn frames(stream: &[u8], size: usize) -> Vec<Frame> {
        let mut framer = Framer::default();
        let mut frames = Vec::new();
        for piece in stream.chunks(size) {
            framer.push(piece);
            while let Some(frame) = framer.next() {
                let is_broken = matches!(frame, Frame::Broken(_));
                frames.push(frame);
                if is_broken {
                    return frames;
                }
            }
        }
        frames
    }

    #[test]
    fn messages_come_whole_however_the_stream_was_cut() {
        let (one, two) = (message("a\r\n\r\nb"), message(""));
        let mut stream = b"\r\n".to_vec();
        stream.extend([&one[..], &two, b"\r\n\r\n", b"\r\n", &one, b"\r\n\r\n"].concat());
        for size in 1..=stream.len() {
            let found = frames(&stream, size);
            let ping = b"\r\n\r\n";
            let expected = [&one[..], &two, ping, &one, ping];
            let expected = expected.map(|bytes| Frame::Message(bytes.to_vec()));
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn a_flood_of_keep_alives_is_one() {
        let found = frames(&b"\r\n".repeat(2_001), 10_000);
        assert_eq!(found, [Frame::Message(b"\r\n\r\n".to_vec())]);
    }

    #[test]
    fn what_has_no_end_ends_the_stream() {
        let long = "x".repeat(limits::SIP_MESSAGE_BYTES_MAX);
        let many = limits::SIP_STREAM_MESSAGE_BYTES_MAX;
        for bad in [
            "INFO sip:a SIP/2.0\r\nl: -1\r\n\r\n".to_owned(),
            "INFO sip:a SIP/2.0\r\nl: 1 1\r\n\r\n".to_owned(),
            "INFO sip:a SIP/2.0\r\nl:\r\n\r\n".to_owned(),
            "INFO sip:a SIP/2.0\r\nl: 1\r\nContent-Length: 2\r\n\r\n".to_owned(),
            format!("INFO sip:a SIP/2.0\r\nl: {many}\r\n\r\n"),
            format!("INFO sip:a SIP/2.0\r\nl: {}\r\n\r\n", "9".repeat(60)),
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            format!("INFO sip:a SIP/2.0\r\nX: {long}"),
        ] {
            for size in [1, 7, bad.len()] {
                let found = frames(bad.as_bytes(), size);
                assert!(matches!(found[..], [Frame::Broken(_)]), "{bad:.60}: {found:.200?}");
            }
        }
    }

    #[test]
    fn one_without_a_length_has_no_body() {
        let found = frames(b"INFO sip:a SIP/2.0\r\n\r\nOPTIONS", 100);
        assert_eq!(found, [Frame::Message(b"INFO sip:a SIP/2.0\r\n\r\n".to_vec())]);
    }

    #[test]
    fn a_message_that_is_not_whole_is_waited_for() {
        let mut framer = Framer::default();
        assert!(!framer.is_amid());
        framer.push(b"INFO sip:a SIP/2.0\r\nl: 3\r\n\r\nab");
        assert_eq!((framer.next(), framer.is_amid()), (None, true));
        framer.push(b"cd");
        assert!(matches!(framer.next(), Some(Frame::Message(whole)) if whole.ends_with(b"abc")));
        assert!(framer.is_amid(), "the next has begun");
    }
}
