//! The WebRTC stack with exactly what the house needs, and what it agreed on with a page.

use std::time::Instant;

use model::media::MediaFault;
use str0m::Rtc;
use str0m::format::{Codec, CodecConfig, CodecSpec, FormatParams, PayloadParams};
use str0m::media::{Frequency, Mid, Pt};
use str0m::rtp::{Extension, ExtensionMap};

use super::identity::IDENTITY;

/// Our payload type for telephone-event/8000; the page's own number wins in the answer.
const TELEPHONE_EVENT: u8 = 101;
/// Our number of the `mid` header extension (RFC 9143); the page's own wins in the answer.
const MID_EXTENSION: u8 = 4;

/// What the offer and our codecs have in common.
pub(super) struct Negotiated {
    pub(super) mid: Mid,
    pub(super) audio: Pt,
    pub(super) keys: Option<Pt>,
}

/// The stack with exactly what the house needs and nothing that the page could ask for beyond.
pub(super) fn build(now: Instant) -> Result<Rtc, MediaFault> {
    // The plane does not start without one.
    let identity = IDENTITY.as_ref().ok_or(MediaFault::Overloaded)?;
    // No transport-wide-cc: its feedback costs a third more packets, and audio has one bit rate.
    let mut extensions = ExtensionMap::empty();
    extensions.set(MID_EXTENSION, Extension::RtpMid);
    let mut config = Rtc::builder()
        .set_crypto_provider(identity.crypto.clone())
        .set_dtls_cert(identity.certificate.clone())
        .set_ice_lite(true)
        .set_rtp_mode(true)
        .set_extension_map(extensions);
    let events = FormatParams { telephone_event_max: Some(15), ..FormatParams::default() };
    *config.codec_config() = CodecConfig::new_from_payload_params(vec![
        plain(model::media::Codec::Pcmu.payload_type(), Codec::PCMU, FormatParams::default()),
        plain(TELEPHONE_EVENT, Codec::Tele, events),
    ]);
    Ok(config.build(now))
}

/// A payload type at 8 kHz without any feedback.
fn plain(pt: u8, codec: Codec, format: FormatParams) -> PayloadParams {
    let clock_rate = Frequency::EIGHT_KHZ;
    let spec = CodecSpec { codec, clock_rate, channels: None, format };
    let mut params = PayloadParams::new(pt.into(), None, spec);
    params.set_fb_transport_cc(false);
    params
}

/// Reads off what was agreed upon.
pub(super) fn negotiated(rtc: &Rtc, answer: &str) -> Result<Negotiated, MediaFault> {
    let mid = answer.lines().find_map(|line| line.strip_prefix("a=mid:"));
    let mid = Mid::from(mid.ok_or(MediaFault::BadDescription)?);
    let offered = rtc.media(mid).ok_or(MediaFault::NoCodec)?.remote_pts();
    let find = |codec: Codec| {
        let wanted = rtc.codec_config().find(|params| {
            let spec = params.spec();
            spec.codec == codec
                && spec.clock_rate == Frequency::EIGHT_KHZ
                && offered.contains(&params.pt())
        });
        wanted.map(PayloadParams::pt)
    };
    let audio = find(Codec::PCMU).ok_or(MediaFault::NoCodec)?;
    Ok(Negotiated { mid, audio, keys: find(Codec::Tele) })
}
