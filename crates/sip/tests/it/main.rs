//! The SIP plane on the wire: real sipp, hand-made peers, the torture messages, junk.

mod calls;
mod support;
