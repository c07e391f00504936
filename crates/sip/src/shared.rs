//! What the filter, the core and the handle look at together. Nothing here waits.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicBool;

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
    pub(crate) tally: Tally,
    pub(crate) tags: Tags,
    /// Set by `shutdown`: new calls get 503.
    pub(crate) draining: AtomicBool,
}

impl Shared {
    /// Whether calls may come from there.
    pub(crate) fn is_trusted(&self, source: IpAddr) -> bool {
        self.config.trusted.iter().any(|block| block.contains(source))
    }
}
