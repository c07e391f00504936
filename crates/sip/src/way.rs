//! How a peer is reached: by what, and at which address.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use model::sip::Transport;

/// The way to a peer. Over a stream it names one connection by its far end, and nothing else leads
/// along it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Way {
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
}

impl Way {
    pub(crate) fn udp(address: SocketAddr) -> Self {
        Self { transport: Transport::Udp, address }
    }

    /// A URI that leads there.
    pub(crate) fn uri(&self) -> String {
        format!("sip:{}{}", self.address, uri_param(self.transport))
    }

    pub(crate) fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    /// Whose limits it counts towards: IPv6 addresses are had by the /64.
    pub(crate) fn network(&self) -> IpAddr {
        match self.ip().to_canonical() {
            IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) & !u128::from(u64::MAX)).into()),
            v4 @ IpAddr::V4(_) => v4,
        }
    }

    /// Whether what is sent arrives, in order, or the connection ends.
    pub(crate) fn is_stream(&self) -> bool {
        self.transport != Transport::Udp
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)
    }
}

/// As Via names it (RFC 3261 section 20.42).
pub(crate) const fn via_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
        Transport::Tls => "TLS",
    }
}

/// What a URI of ours says of it, so that requests come the same way (RFC 3261 section 19.1.1).
pub(crate) const fn uri_param(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
    }
}
