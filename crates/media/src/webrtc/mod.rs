//! The agent's browser as a media leg: ICE-lite, DTLS-SRTP and G.711 mu-law over one shared socket.
//!
//! Nothing here owns a socket, a thread or a clock: the media thread reads datagrams, finds the leg
//! by [`Routes`], and hands them in. Invariant: bytes from outside
//! can end the one leg they belong to and nothing else; they never panic and never reach another.

pub mod demux;
mod identity;
mod leg;
mod offer;
mod routes;
mod stack;
#[cfg(test)]
mod tests;

pub(crate) use identity::has_identity;
pub use identity::install_crypto;
pub use leg::{BrowserLeg, BrowserOut};
pub use routes::Routes;
