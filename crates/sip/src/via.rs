//! Via headers: who sent a request, and where its responses go.

use std::net::{IpAddr, SocketAddr};

use crate::addr;
use crate::way::Way;
use crate::wire::{Head, Name};

/// The topmost Via value.
pub(crate) fn top<'a>(head: &'a Head<'_>) -> Option<&'a str> {
    head.first(Name::Via).and_then(|via| addr::list(via).next())
}

/// The parameters of one Via value, from its first `;` on.
pub(crate) fn params(via: &str) -> &str {
    &via[via.find(';').unwrap_or(via.len())..]
}

/// Host and port of `SIP/2.0/UDP host:port;params`, blanks allowed around the slashes.
pub(crate) fn sent_by(via: &str) -> Option<(&str, Option<u16>)> {
    let end = via.find(';').unwrap_or(via.len());
    let (sent, params) = via.split_at(end);
    let mut parts = sent.splitn(3, '/').map(str::trim);
    let (name, version) = (parts.next()?, parts.next()?);
    let (transport, sent_by) = parts.next()?.split_once([' ', '\t'])?;
    let sound = name.eq_ignore_ascii_case("SIP")
        && version == "2.0"
        && addr::is_token(transport)
        && params_are_sound(params);
    sound.then(|| addr::host_port(sent_by.trim()))?
}

fn params_are_sound(params: &str) -> bool {
    let foreign = |c: char| c.is_whitespace() || ",<>".contains(c);
    let value_is_sound = |value: &str| !value.is_empty() && !value.contains(foreign);
    let params = params.trim();
    // `received` may hold a bare IPv6 address (RFC 5118 section 4.5).
    params.is_empty()
        || params.starts_with(';')
            && addr::params(params)
                .all(|(name, value)| addr::is_token(name) && value.is_none_or(value_is_sound))
}

/// Where the responses to a request go: back along the connection that it came by, and of datagrams
/// to the port that its Via names (RFC 3261 section 18.2.2),
/// or to the one it came from where it asks for that (`rport`, RFC 3581). A Via that names another
/// host than the source is from behind an address translation, and only the way it came leads back
/// through that. So it is with a host name, against the letter of the RFC: whether it is the
/// source's is not known without a look-up, and most exchanges do the same.
pub(crate) fn reply_to(head: &Head<'_>, source: Way) -> Way {
    match source.is_stream() {
        true => source,
        false => Way::udp(datagrams_to(head, source.address)),
    }
}

fn datagrams_to(head: &Head<'_>, source: SocketAddr) -> SocketAddr {
    let Some(top) = top(head) else { return source };
    if addr::param(params(top), "rport").is_some() {
        return source;
    }
    match sent_by(top) {
        Some((host, port)) if is_source(host, source.ip()) => {
            let port = port.filter(|port| *port != 0).unwrap_or(addr::SIP_PORT);
            SocketAddr::new(source.ip(), port)
        }
        _ => source,
    }
}

/// Whether a request came through an address translation: its only Via names another address than
/// the one it came from. Where there are more of them the last hop was a proxy, and how its
/// messages reach us tells nothing of the far side's.
pub(crate) fn is_translated(head: &Head<'_>, source: IpAddr) -> bool {
    let mut values = head.all(Name::Via).flat_map(addr::list);
    let (Some(only), None) = (values.next(), values.next()) else { return false };
    let named = sent_by(only).and_then(|(host, _)| host.parse::<IpAddr>().ok());
    named.is_some_and(|named| named.to_canonical() != source.to_canonical())
}

/// Whether a host is the address that a datagram came from.
pub(crate) fn is_source(host: &str, source: IpAddr) -> bool {
    host.parse().is_ok_and(|host: IpAddr| host.to_canonical() == source.to_canonical())
}

#[cfg(test)]
mod tests {
    use model::sip::Transport;

    use super::*;
    use crate::wire;

    #[test]
    fn responses_go_where_the_via_says() {
        let source = "192.0.2.9:7000".parse().unwrap();
        for (via, expected) in [
            ("192.0.2.9:5062;branch=z9hG4bK1", "192.0.2.9:5062"),
            ("192.0.2.9;branch=z9hG4bK1", "192.0.2.9:5060"),
            ("192.0.2.9:5062;rport;branch=z9hG4bK1", "192.0.2.9:7000"),
            ("192.0.2.9:5062;rport=9;branch=z9hG4bK1", "192.0.2.9:7000"),
            ("10.0.0.1:5062;branch=z9hG4bK1", "192.0.2.9:7000"),
            ("proxy.example.org;branch=z9hG4bK1", "192.0.2.9:7000"),
            ("192.0.2.9:5062, SIP/2.0/UDP 192.0.2.9:1", "192.0.2.9:5062"),
        ] {
            let text = format!("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\n\r\n");
            let head = wire::read(text.as_bytes()).unwrap();
            assert_eq!(datagrams_to(&head, source), expected.parse().unwrap(), "{via}");
            let stream = Way { transport: Transport::Tcp, address: source };
            assert_eq!(reply_to(&head, stream), stream, "{via}");
        }
    }

    #[test]
    fn a_translation_shows_in_the_only_via() {
        let source = "::ffff:192.0.2.9".parse().unwrap();
        for (via, expected) in [
            ("192.0.2.9:5062", false),
            ("10.0.0.1:5062", true),
            ("10.0.0.1;rport", true),
            ("[2001:db8::1]", true),
            ("192.0.2.8", true),
            ("pbx.example.org", false),
            ("10.0.0.1, SIP/2.0/UDP 10.0.0.2", false),
            ("192.0.2.9\r\nv: SIP/2.0/UDP 10.0.0.2", false),
        ] {
            let text = format!("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\n\r\n");
            let head = wire::read(text.as_bytes()).unwrap();
            assert_eq!(is_translated(&head, source), expected, "{via}");
        }
    }
}
