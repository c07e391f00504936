//! What a REGISTER asks for: its Contact and Expires headers (RFC 3261 section 10.3).

use model::limits;
use model::sip::Transport;

use crate::addr;
use crate::filter::warning;
use crate::location::{Wish, Wishes};
use crate::reply::Refusal;
use crate::wire::{self, Head, Name};

/// Reads them from a REGISTER that came by `way`; what cannot be carried out is refused whole.
pub(super) fn read(head: &Head<'_>, way: Transport) -> Result<Wishes, Refusal> {
    let values: Vec<&str> = head.all(Name::Contact).flat_map(addr::list).collect();
    let expires_s = head.first(Name::Expires).and_then(seconds);
    if values.contains(&"*") {
        return match (&values[..], expires_s) {
            ([_], Some(0)) => Ok(Wishes::Clear),
            _ => Err(bad("Contact: * stands alone and with Expires: 0")),
        };
    }
    if values.is_empty() {
        return Ok(Wishes::Ask);
    }
    let wishes = values.into_iter().map(|value| wish(value, expires_s, way));
    wishes.collect::<Result<_, _>>().map(Wishes::These)
}

fn wish(value: &str, of_all: Option<u32>, way: Transport) -> Result<Wish, Refusal> {
    let contact = addr::name_addr(value).ok_or_else(|| bad("Contact"))?;
    let fits = contact.uri.len() <= limits::SIP_CONTACT_BYTES_MAX && wire::is_exact(value);
    let uri = addr::sip_uri(contact.uri).filter(|_| fits).ok_or_else(|| bad("Contact"))?;
    if wanted(contact.uri, uri.params).is_none_or(|wanted| wanted > way) {
        let refusal = Refusal::new(403, "Forbidden");
        let detail = "telephones are rung over what they register over";
        return Err(refusal.with("Warning", &warning(detail)));
    }
    let param = |name| addr::param(contact.params, name);
    Ok(Wish {
        uri: contact.uri.to_owned(),
        q: param("q").map_or(1_000, thousandths),
        expires_s: param("expires").and_then(seconds).or(of_all),
        instance: param("+sip.instance").filter(|id| !id.is_empty()).map(str::to_owned),
    })
}

/// The least that a contact is to be rung over: whoever asks for more than they came by gets it
/// nowhere.
fn wanted(uri: &str, params: &str) -> Option<Transport> {
    let is = |scheme: &str| scheme.eq_ignore_ascii_case("sips");
    let named = match addr::param(params, "transport").map(str::to_ascii_lowercase).as_deref() {
        None | Some("udp") => Transport::Udp,
        Some("tcp") => Transport::Tcp,
        Some("tls") => Transport::Tls,
        Some(_) => return None,
    };
    Some(if addr::scheme(uri).is_some_and(is) { Transport::Tls } else { named })
}

/// What is no number counts as if it did not stand there (RFC 3261 section 10.3, step 7).
fn seconds(value: &str) -> Option<u32> {
    let value = value.trim();
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| value.parse().unwrap_or(u32::MAX))
}

/// A preference from 0 to 1 with at most three decimals (RFC 3261 section 25.1, `qvalue`).
fn thousandths(value: &str) -> u16 {
    let q: f32 = value.parse().unwrap_or(1.0);
    // In range and whole after these two.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1,000")]
    let thousandths = (q.clamp(0.0, 1.0) * 1_000.0).round() as u16;
    thousandths
}

fn bad(detail: &str) -> Refusal {
    Refusal::new(400, "Bad Request").with("Warning", &warning(detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(headers: &str) -> Result<Wishes, u16> {
        wishes_by(Transport::Udp, headers)
    }

    fn wishes_by(way: Transport, headers: &str) -> Result<Wishes, u16> {
        let text = format!("REGISTER sip:house SIP/2.0\r\n{headers}\r\n");
        let head = wire::read(text.as_bytes()).expect("a head");
        read(&head, way).map_err(|refusal| refusal.status)
    }

    #[test]
    fn contacts_are_read_with_their_parameters() {
        let Ok(Wishes::These(all)) = wishes(
            "Contact: \"A, b\" <sip:7@192.0.2.7;ob>;q=0.25;expires=120, <sip:8@192.0.2.8>\r\n\
             m: <sip:9@192.0.2.9>;expires=x;+sip.instance=\"<urn:uuid:1>\"\r\nExpires: 90\r\n",
        ) else {
            panic!("contacts")
        };
        let told: Vec<_> = all.iter().map(|w| (w.uri.as_str(), w.q, w.expires_s)).collect();
        let expected = [
            ("sip:7@192.0.2.7;ob", 250, Some(120)),
            ("sip:8@192.0.2.8", 1_000, Some(90)),
            ("sip:9@192.0.2.9", 1_000, Some(90)),
        ];
        assert_eq!(told, expected);
        assert_eq!(all[2].instance.as_deref(), Some("\"<urn:uuid:1>\""));
    }

    #[test]
    fn what_cannot_be_carried_out_is_refused() {
        assert_eq!(wishes(""), Ok(Wishes::Ask));
        assert_eq!(wishes("Contact: *\r\nExpires: 0\r\n"), Ok(Wishes::Clear));
        for (headers, status) in [
            ("Contact: *\r\n", 400),
            ("Contact: *\r\nExpires: 60\r\n", 400),
            ("Contact: *, <sip:a@192.0.2.1>\r\nExpires: 0\r\n", 400),
            ("Contact: <tel:100>\r\n", 400),
            ("Contact: <sips:a@192.0.2.1>\r\n", 403),
            ("Contact: <sip:a@192.0.2.1;transport=tcp>\r\n", 403),
        ] {
            assert_eq!(wishes(headers), Err(status), "{headers}");
        }
        for (uri, least) in [
            ("sip:a@b;transport=UDP", Some(Transport::Udp)),
            ("sip:a@b;transport=TCP", Some(Transport::Tcp)),
            ("sip:a@b;transport=tls", Some(Transport::Tls)),
            ("sips:a@b", Some(Transport::Tls)),
            ("sips:a@b;transport=tcp", Some(Transport::Tls)),
            ("sip:a@b;transport=ws", None),
        ] {
            for way in [Transport::Udp, Transport::Tcp, Transport::Tls] {
                let taken = wishes_by(way, &format!("Contact: <{uri}>\r\n")).is_ok();
                assert_eq!(taken, least.is_some_and(|least| least <= way), "{uri} by {way:?}");
            }
        }
        let long = format!("Contact: <sip:{}@a>\r\n", "a".repeat(limits::SIP_CONTACT_BYTES_MAX));
        assert_eq!(wishes(&long), Err(400));
        assert_eq!(thousandths("0.1234"), 123);
        assert_eq!((thousandths("7"), thousandths("-1"), thousandths("NaN")), (1_000, 0, 0));
        assert_eq!(seconds("99999999999"), Some(u32::MAX));
    }
}
