//! What a page's offer must look like before the WebRTC stack sees it.
//!
//! The page offers exactly one audio section. Everything else (video, data channels, several
//! sections) is refused here, so that no code path for it can be reached from outside.

use model::limits::{PHONE_OFFER_LINES_MAX, SDP_BYTES_MAX};
use model::media::MediaFault;
use str0m::change::SdpOffer;

/// Checks the shape and parses.
///
/// # Errors
/// `BadDescription` when it is too long, no description, without a fingerprint, or has anything
/// but one audio section that is not refused.
pub(super) fn parse(sdp: &str) -> Result<SdpOffer, MediaFault> {
    let is_small = sdp.len() <= SDP_BYTES_MAX && sdp.lines().count() <= PHONE_OFFER_LINES_MAX;
    let mut sections = sdp.lines().filter(|line| line.starts_with("m="));
    let is_audio = sections.next().is_some_and(|line| {
        line.strip_prefix("m=audio ").is_some_and(|rest| !rest.starts_with("0 "))
    });
    let is_alone = sections.next().is_none();
    let has = |name: &str| sdp.lines().any(|line| line.starts_with(name));
    let can_connect = has("a=fingerprint:") && has("a=ice-ufrag:") && has("a=ice-pwd:");
    if !(is_small && is_audio && is_alone && can_connect) {
        return Err(MediaFault::BadDescription);
    }
    SdpOffer::from_sdp_string(sdp).map_err(|fault| {
        tracing::debug!(%fault, "a page's offer cannot be parsed");
        MediaFault::BadDescription
    })
}
