//! A message that passed the filter, and what is read of it.

use crate::addr;
use crate::parts;
use crate::sdp::{self, Session};
use crate::via;
use crate::way::Way;
use crate::wire::{self, Head, Name};

/// The methods that we serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Invite,
    Ack,
    Cancel,
    Bye,
    Options,
    Info,
    Update,
    Register,
    Refer,
    Notify,
}

impl Method {
    const ALL: [(Self, &str); 10] = [
        (Self::Invite, "INVITE"),
        (Self::Ack, "ACK"),
        (Self::Cancel, "CANCEL"),
        (Self::Bye, "BYE"),
        (Self::Options, "OPTIONS"),
        (Self::Info, "INFO"),
        (Self::Update, "UPDATE"),
        (Self::Register, "REGISTER"),
        (Self::Refer, "REFER"),
        // We send it and take none.
        (Self::Notify, "NOTIFY"),
    ];

    /// By its name, which has capital letters (RFC 3261 section 7.1).
    pub(crate) fn read(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(method, _)| *method)
    }

    /// One that we answer, by its name.
    pub(crate) fn served(name: &str) -> Option<Self> {
        Self::read(name).filter(|method| *method != Self::Notify)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// See the module. Every header that is looked for here was found well-formed by the filter.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) head: Head<'static>,
    pub(crate) body: Vec<u8>,
    /// Where the answers to it go, or where it came from if it is one.
    pub(crate) peer: Way,
}

impl Message {
    /// The method of a request, `None` for a response.
    pub(crate) fn method(&self) -> Option<Method> {
        Method::read(self.head.start().split(' ').next()?)
    }

    /// The URI of a request.
    pub(crate) fn uri(&self) -> &str {
        self.head.start().split(' ').nth(1).unwrap_or("")
    }

    /// The status of a response, 0 for a request.
    pub(crate) fn status(&self) -> u16 {
        self.uri().parse().unwrap_or(0)
    }

    fn value(&self, name: Name) -> &str {
        self.head.first(name).unwrap_or("")
    }

    pub(crate) fn from(&self) -> &str {
        self.value(Name::From)
    }

    pub(crate) fn to(&self) -> &str {
        self.value(Name::To)
    }

    pub(crate) fn tag_from(&self) -> Option<&str> {
        tag(self.from())
    }

    pub(crate) fn tag_to(&self) -> Option<&str> {
        tag(self.to())
    }

    pub(crate) fn call_id(&self) -> &str {
        self.value(Name::CallId)
    }

    /// The number of CSeq.
    pub(crate) fn cseq(&self) -> Option<u32> {
        crate::filter::cseq(self.value(Name::CSeq)).map(|(number, _)| number)
    }

    /// The method that CSeq names: that of the request which a response answers.
    pub(crate) fn cseq_method(&self) -> Option<Method> {
        crate::filter::cseq(self.value(Name::CSeq)).and_then(|(_, name)| Method::read(name))
    }

    /// The topmost Via value.
    pub(crate) fn via(&self) -> &str {
        via::top(&self.head).unwrap_or("")
    }

    /// Whether a request came through an address translation.
    pub(crate) fn is_translated(&self) -> bool {
        via::is_translated(&self.head, self.peer.ip())
    }

    pub(crate) fn content_type(&self) -> &str {
        self.value(Name::ContentType).split(';').next().unwrap_or("").trim()
    }

    /// The session description that it brings, if it is one that we can take. A body of which no
    /// kind is stated is taken for one.
    pub(crate) fn session(&self) -> Option<Session> {
        let kind = self.head.first(Name::ContentType).unwrap_or("application/sdp");
        let found = parts::description(kind, self.value(Name::ContentDisposition), &self.body);
        sdp::session(found.ok().flatten()?).ok()
    }

    /// The number or name that a request is for.
    pub(crate) fn dialled(&self) -> Option<String> {
        addr::user(self.uri())
    }

    /// The URI of the first Contact, if it can be called.
    pub(crate) fn contact(&self) -> Option<String> {
        let value = self.head.first(Name::Contact)?;
        let uri = addr::name_addr(addr::list(value).next()?)?.uri;
        (addr::sip_uri(uri).is_some() && wire::is_exact(uri)).then(|| uri.to_owned())
    }

    /// The values of Record-Route, in the order of the message.
    pub(crate) fn record_routes(&self) -> Vec<String> {
        self.head.all(Name::RecordRoute).flat_map(addr::list).map(str::to_owned).collect()
    }
}

fn tag(value: &str) -> Option<&str> {
    addr::param(addr::name_addr(value)?.params, "tag").filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_methods_is_in_the_order_of_the_enum() {
        for (method, name) in Method::ALL {
            assert_eq!((method.name(), Method::read(name)), (name, Some(method)));
        }
        assert_eq!(Method::read("invite"), None, "names have capital letters");
    }
}
