//! What the SIP plane is told at its start. Every duration and limit has a safe default.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use model::limits;
use tokio_rustls::rustls::ServerConfig;

/// How the SIP plane listens and whom it trusts.
#[derive(Debug, Clone)]
pub struct SipConfig {
    /// Where to listen, for datagrams and for connections. Port 0 takes a free one.
    pub bind: SocketAddr,
    /// What peers shall see in Via and Contact, when it is not the listening address. Needed when
    /// `bind` is a wildcard address. Port 0 means the port that was bound.
    pub advertise: Option<SocketAddr>,
    /// Where to listen for connections over TLS, if at all.
    pub tls: Option<SipTls>,
    /// Sources that may begin calls. Others get 403 for INVITE, without any state kept.
    pub trusted: Vec<Cidr>,
    /// Requests outside a dialog that one source address may send per second; inside its dialogs
    /// `limits::SIP_REQUESTS_INSIDE_FACTOR` times as many.
    pub rate_per_source: u32,
    /// How long a source that sends garbage or too much is not listened to, the first time; whole
    /// seconds. Sources in `trusted` always are.
    pub ban: Duration,
    /// Legs at once; over it INVITE gets 503 with Retry-After.
    pub legs_max: usize,
    /// How long a call may ring, in and out, before it ends as not answered.
    pub ring_timeout: Duration,
    /// How long a re-INVITE or UPDATE waits for `Reanswer` before it gets 500.
    pub reanswer_timeout: Duration,
    /// How long `shutdown` waits for the BYEs to be answered.
    pub shutdown_timeout: Duration,
    /// Timer T1 of RFC 3261 section 17.1.1.1; the other timers follow from it. Tests shorten it.
    pub t1: Duration,
    /// Text of the Server and User-Agent headers.
    pub server_name: String,
}

/// How the SIP plane listens over TLS.
#[derive(Debug, Clone)]
pub struct SipTls {
    /// Where. Port 0 takes a free one.
    pub bind: SocketAddr,
    /// With which certificate, and how.
    pub config: Arc<ServerConfig>,
}

impl Default for SipConfig {
    fn default() -> Self {
        Self {
            bind: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5060),
            advertise: None,
            tls: None,
            trusted: vec![Cidr::LOOPBACK_V4, Cidr::LOOPBACK_V6],
            rate_per_source: limits::SIP_REQUESTS_PER_SOURCE_PER_SECOND_MAX,
            ban: Duration::from_secs(limits::SIP_BAN_S),
            legs_max: limits::SIP_LEGS_MAX,
            ring_timeout: Duration::from_secs(limits::SIP_RING_S_MAX),
            reanswer_timeout: Duration::from_millis(limits::SIP_REANSWER_MS_MAX),
            shutdown_timeout: Duration::from_millis(limits::SIP_STOP_MS_MAX),
            t1: Duration::from_millis(500),
            server_name: concat!("Antiphon/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// A block of addresses, as in `10.0.0.0/8` or `2001:db8::/32`; a bare address is one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    bits: u8,
}

/// The text was no block of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address block: expected 10.0.0.0/8, 2001:db8::/32 or one address")]
pub struct CidrError(String);

impl Cidr {
    /// 127.0.0.0/8.
    pub const LOOPBACK_V4: Self =
        Self { network: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), bits: 8 };
    /// `::1`.
    pub const LOOPBACK_V6: Self =
        Self { network: IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), bits: 128 };

    /// Whether the block holds this address. `::ffff:a.b.c.d` counts as the IPv4 address, so that
    /// a dual-stack socket cannot be used to step around an IPv4 rule.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (a, b, width) = match (self.network, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                (u128::from(a.to_bits()), u128::from(b.to_bits()), 32)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
            _ => return false,
        };
        let host_bits = width - u32::from(self.bits);
        a.checked_shr(host_bits).unwrap_or(0) == b.checked_shr(host_bits).unwrap_or(0)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;
    fn from_str(text: &str) -> Result<Self, CidrError> {
        let fault = || CidrError(text.chars().take(64).collect());
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let network = address.parse::<IpAddr>().map_err(|_| fault())?.to_canonical();
        let width = if network.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(width), |b| b.parse().map_err(|_| fault()))?;
        if bits > width { Err(fault()) } else { Ok(Self { network, bits }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_what_they_should() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("::/0", "2001:db8::1", true),
        ];
        for (block, address, held) in cases {
            let block: Cidr = block.parse().unwrap();
            assert_eq!(block.contains(address.parse().unwrap()), held, "{block:?} {address}");
        }
        for bad in ["", "10.0.0.0/33", "x/8", "10.0.0/8", "::/129", "10.0.0.0/"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }
}
