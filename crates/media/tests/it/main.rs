//! The media plane as its users see it: real sockets on loopback, commands in, events out.

mod keys;
mod page;
mod play;
mod record;
mod relay;
mod reports;
mod silence;
mod support;
