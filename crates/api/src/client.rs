//! Who is at the other end: the address behind trusted proxies, and the origin of our own pages.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};
use model::Domain;

use crate::problem::Problem;
use crate::serve::Encrypted;

/// A network in CIDR form, as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// The text was no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a network like 10.0.0.0/8 or fd00::/8")]
pub struct NetworkError;

impl FromStr for Network {
    type Err = NetworkError;
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = text.split_once('/').ok_or(NetworkError)?;
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let bits: u8 = bits.parse().map_err(|_| NetworkError)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        if bits <= most { Ok(Self { address, bits }) } else { Err(NetworkError) }
    }
}

impl Network {
    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.bits);
                u32::from(own).checked_shr(shift) == u32::from(other).checked_shr(shift)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.bits);
                u128::from(own).checked_shr(shift) == u128::from(other).checked_shr(shift)
            }
            _ => false,
        }
    }
}

/// What one household or company has at least: the address itself, of IPv6 the first 64 bits.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(prefix.into())
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The other end of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its address, as far as proxies are trusted.
    pub(crate) address: IpAddr,
    /// Whether it speaks TLS, to us or to a trusted proxy.
    pub(crate) https: bool,
    /// The host it asked for, with the port.
    pub(crate) host: Option<String>,
}

impl Client {
    /// Reads it from a request.
    pub(crate) fn of(parts: &Parts, proxies: &[Network]) -> Self {
        let peer = peer(&parts.extensions);
        let host = text(&parts.headers, header::HOST.as_str())
            .or_else(|| parts.uri.authority().map(ToString::to_string));
        let trusted = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
        // To us; a proxy says how it was spoken to.
        let https = parts.extensions.get::<Encrypted>().is_some();
        if !trusted(peer) {
            return Self { address: peer, https, host };
        }
        // The last address that no trusted proxy wrote is the client's.
        let told = lines(&parts.headers, "x-forwarded-for");
        let address = told
            .rsplit(',')
            .map_while(|one| one.trim().parse::<IpAddr>().ok())
            .find(|address| !trusted(*address))
            .unwrap_or(peer);
        let told = text(&parts.headers, "x-forwarded-proto");
        let https = told.map_or(https, |told| told == "https");
        Self { address, https, host: text(&parts.headers, "x-forwarded-host").or(host) }
    }

    /// The host it asked for, where that is a domain.
    pub(crate) fn domain(&self) -> Option<Domain> {
        let host = self.host.as_deref()?;
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        name.parse().ok()
    }

    /// Fails unless the request comes from one of our own pages. A missing `Origin` is refused when
    /// `required`.
    pub(crate) fn check_origin(&self, headers: &HeaderMap, required: bool) -> Result<(), Problem> {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return if required { Err(bad_origin()) } else { Ok(()) };
        };
        let scheme = if self.https { "https" } else { "http" };
        let own = self.host.as_ref().map(|host| format!("{scheme}://{host}"));
        if own.is_some_and(|own| own.as_bytes() == origin.as_bytes()) {
            Ok(())
        } else {
            Err(bad_origin())
        }
    }
}

/// Who holds the other end of the connection.
fn peer(extensions: &Extensions) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |info| info.0.ip().to_canonical())
}

/// Fails for whoever walks around the proxy that ends TLS: passwords and conversations would go
/// over the wire in the clear. Tools on the same machine may.
pub(crate) fn check_way(extensions: &Extensions, proxies: &[Network]) -> Result<(), Problem> {
    let peer = peer(extensions);
    let known = peer.is_loopback()
        || extensions.get::<Encrypted>().is_some()
        || proxies.iter().any(|network| network.contains(peer));
    if proxies.is_empty() || known {
        Ok(())
    } else {
        let detail =
            "This address answers its TLS proxy only. Open the https address of the house.";
        Err(Problem::forbidden("not_through_proxy", detail))
    }
}

fn bad_origin() -> Problem {
    let detail = "The request does not come from a page of this address.";
    Problem::forbidden("bad_origin", detail)
}

/// A list that may come in several lines, as one (RFC 9110 section 5.3). What no text is ends
/// whatever stands before it.
fn lines(headers: &HeaderMap, name: &str) -> String {
    let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("?"));
    lines.collect::<Vec<_>>().join(",")
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn client(peer: &str, headers: &[(&'static str, &str)]) -> Client {
        let mut request = Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
        Client::of(&parts, &["10.0.0.0/8".parse().unwrap()])
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let told = [
            ("host", "inner:8080"),
            ("x-forwarded-for", "6.6.6.6, 192.0.2.7, 10.1.1.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "desk.example"),
        ];
        let behind = client("10.0.0.1", &told);
        assert_eq!(behind.address.to_string(), "192.0.2.7");
        assert!(behind.https && behind.host.as_deref() == Some("desk.example"));
        // Whoever speaks TLS to us from there is no proxy.
        let mut parts = Request::builder().uri("/").body(()).unwrap().into_parts().0;
        parts.extensions.insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 9], 1))));
        parts.extensions.insert(Encrypted);
        assert!(Client::of(&parts, &["10.0.0.0/8".parse().unwrap()]).https);
        let direct = client("192.0.2.9", &told);
        assert_eq!(direct.address.to_string(), "192.0.2.9");
        assert!(!direct.https && direct.host.as_deref() == Some("inner:8080"));
    }

    /// A proxy may add a line of its own below the one that a stranger wrote.
    #[test]
    fn the_lines_of_a_list_are_one() {
        let told = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.7, 10.1.1.1")];
        assert_eq!(client("10.0.0.1", &told).address.to_string(), "192.0.2.7");
        let told = [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-for", "10.1.1.1")];
        assert_eq!(client("10.0.0.1", &told).address.to_string(), "192.0.2.7");
        let told = [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-for", "nonsense")];
        assert_eq!(client("10.0.0.1", &told).address.to_string(), "10.0.0.1");
    }

    #[test]
    fn networks_contain_what_they_say() {
        let network: Network = "10.0.0.0/8".parse().unwrap();
        assert!(network.contains("10.255.0.1".parse().unwrap()));
        assert!(network.contains("::ffff:10.0.0.1".parse().unwrap()));
        assert!(!network.contains("11.0.0.1".parse().unwrap()));
        assert!(!network.contains("::1".parse().unwrap()));
        for bad in ["10.0.0.0", "10.0.0.0/33", "x/8", "10.0.0.0/-1"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn nobody_walks_around_the_proxy() {
        let way = |peer: &str, proxies: &[Network]| {
            let mut extensions = Extensions::new();
            extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
            check_way(&extensions, proxies).map_err(|problem| problem.code)
        };
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        for known in ["10.0.0.1", "::ffff:10.0.0.1", "127.0.0.1", "::1"] {
            assert_eq!(way(known, &proxies), Ok(()), "{known}");
        }
        assert_eq!(way("192.0.2.9", &proxies), Err("not_through_proxy"));
        assert_eq!(way("192.0.2.9", &[]), Ok(()), "no proxy was named");
    }

    #[test]
    fn one_ipv6_network_is_one_stranger() {
        let of = |text: &str| network_of(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("2001:db8:1:3::1"), "2001:db8:1:3::");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn a_host_names_a_tenant_with_or_without_a_port() {
        for (host, domain) in [
            ("Desk.example.org:8443", Some("desk.example.org")),
            ("desk.example.org", Some("desk.example.org")),
            ("localhost:8080", None),
            ("192.0.2.1:80", None),
            ("[2001:db8::1]:80", None),
        ] {
            let found = client("192.0.2.9", &[("host", host)]).domain();
            assert_eq!(found.as_ref().map(Domain::as_str), domain, "{host}");
        }
    }

    #[test]
    fn origins_match_exactly() {
        let own = client("192.0.2.9", &[("host", "a:1"), ("origin", "http://a:1")]);
        let origin = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ORIGIN, value.parse().unwrap());
            headers
        };
        assert!(own.check_origin(&origin("http://a:1"), true).is_ok());
        for bad in ["https://a:1", "http://a", "http://a:1.evil.example", "null", ""] {
            assert!(own.check_origin(&origin(bad), true).is_err(), "{bad}");
        }
        assert!(own.check_origin(&HeaderMap::new(), true).is_err());
        assert!(own.check_origin(&HeaderMap::new(), false).is_ok());
    }
}
