//! What the filter, the core and the handle look at together. Nothing here waits.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicBool;

use model::sip::Transport;

use crate::config::SipConfig;
use crate::counters::Tally;
use crate::tags::Tags;

/// One instance per SIP plane.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: SipConfig,
    /// The address that was bound.
    pub(crate) local: SocketAddr,
    /// The address that peers see; `host:port` of our Via and Contact.
    pub(crate) advertise: SocketAddr,
    /// The address that was bound for TLS, if any was.
    pub(crate) local_tls: Option<SocketAddr>,
    pub(crate) tally: Tally,
    pub(crate) tags: Tags,
    /// Set by `shutdown`: new calls get 503.
    pub(crate) draining: AtomicBool,
}

impl Shared {
    /// Every address that peers see.
    pub(crate) fn own_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        std::iter::once(self.advertise).chain(self.local_tls.map(|_| self.own(Transport::Tls)))
    }

    /// The address that peers see over this transport.
    pub(crate) fn own(&self, transport: Transport) -> SocketAddr {
        match transport {
            Transport::Udp | Transport::Tcp => self.advertise,
            Transport::Tls => {
                let port = self.local_tls.unwrap_or(self.advertise).port();
                SocketAddr::new(self.advertise.ip(), port)
            }
        }
    }

    /// Whether calls may come from there.
    pub(crate) fn is_trusted(&self, source: IpAddr) -> bool {
        self.config.trusted.iter().any(|block| block.contains(source))
    }
}
