//! ITU-T G.711: mu-law, A-law, and from one to the other.
//!
//! Invariant: encoding what was decoded gives the same byte again (mu-law has two zeroes; the
//! negative one becomes the positive one), so a call that stays in G.711 never loses quality.

use model::media::Codec;

/// The mu-law byte of silence.
pub const MU_SILENCE: u8 = 0xff;
/// The A-law byte of silence.
pub const A_SILENCE: u8 = 0xd5;

/// Added to a magnitude before its segment is found, on the 16 bit scale.
const MU_BIAS: i32 = 0x84;
/// Largest magnitude that mu-law can carry, on the 16 bit scale.
const MU_CLIP: i32 = 32_635;

static MU_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = decode_mu(byte as u8);
        byte += 1;
    }
    table
};
static A_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = decode_a(byte as u8);
        byte += 1;
    }
    table
};
static MU_TO_A: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = encode_a(decode_mu(byte as u8));
        byte += 1;
    }
    table
};
static A_TO_MU: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = encode_mu(decode_a(byte as u8));
        byte += 1;
    }
    table
};

const fn decode_mu(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = ((((byte & 0x0f) as i32) << 3) + MU_BIAS) << ((byte >> 4) & 7);
    let linear = magnitude - MU_BIAS;
    (if byte & 0x80 == 0 { linear } else { -linear }) as i16
}

const fn decode_a(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let segment = (byte >> 4) & 7;
    let mantissa = ((byte & 0x0f) as i32) << 4;
    let magnitude = if segment == 0 { mantissa + 8 } else { (mantissa + 0x108) << (segment - 1) };
    (if byte & 0x80 == 0 { -magnitude } else { magnitude }) as i16
}

/// One 16 bit sample to mu-law.
#[must_use]
pub const fn encode_mu(sample: i16) -> u8 {
    let (sign, magnitude) = if sample < 0 { (0x80, -(sample as i32)) } else { (0, sample as i32) };
    let magnitude = (if magnitude > MU_CLIP { MU_CLIP } else { magnitude }) + MU_BIAS;
    // The bias keeps bit 7 set, so the segment is 0 to 7.
    let segment = 24 - magnitude.leading_zeros();
    let mantissa = (magnitude >> (segment + 3)) & 0x0f;
    !(sign | (segment as u8) << 4 | mantissa as u8)
}

/// One 16 bit sample to A-law.
#[must_use]
pub const fn encode_a(sample: i16) -> u8 {
    let value = (sample as i32) >> 3;
    let (mask, magnitude) = if value < 0 { (0x55, -value - 1) } else { (0xd5, value) };
    let code = if magnitude < 32 {
        (magnitude >> 1) as u8
    } else {
        let segment = 27 - magnitude.leading_zeros();
        (segment as u8) << 4 | ((magnitude >> segment) & 0x0f) as u8
    };
    code ^ mask
}

/// One byte of `codec` to a 16 bit sample.
#[must_use]
pub fn decode(codec: Codec, byte: u8) -> i16 {
    match codec {
        Codec::Pcmu => MU_LINEAR[usize::from(byte)],
        Codec::Pcma => A_LINEAR[usize::from(byte)],
    }
}

/// One 16 bit sample to a byte of `codec`.
#[must_use]
pub fn encode(codec: Codec, sample: i16) -> u8 {
    match codec {
        Codec::Pcmu => encode_mu(sample),
        Codec::Pcma => encode_a(sample),
    }
}

/// The byte of silence.
#[must_use]
pub const fn silence(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => MU_SILENCE,
        Codec::Pcma => A_SILENCE,
    }
}

/// Encodes samples; as many as the shorter of the two slices holds.
pub fn encode_slice(codec: Codec, samples: &[i16], bytes: &mut [u8]) {
    match codec {
        Codec::Pcmu => {
            for (byte, sample) in bytes.iter_mut().zip(samples) {
                *byte = encode_mu(*sample);
            }
        }
        Codec::Pcma => {
            for (byte, sample) in bytes.iter_mut().zip(samples) {
                *byte = encode_a(*sample);
            }
        }
    }
}

/// Copies `bytes` of codec `from` to `out` in codec `to`; as many as the shorter slice holds.
pub fn transcode_slice(from: Codec, bytes: &[u8], to: Codec, out: &mut [u8]) {
    let table = match (from, to) {
        (Codec::Pcmu, Codec::Pcma) => &MU_TO_A,
        (Codec::Pcma, Codec::Pcmu) => &A_TO_MU,
        _ => {
            let length = bytes.len().min(out.len());
            out[..length].copy_from_slice(&bytes[..length]);
            return;
        }
    };
    for (out, byte) in out.iter_mut().zip(bytes) {
        *out = table[usize::from(*byte)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_decoded_encodes_to_the_same_byte() {
        for byte in 0..=255_u8 {
            if byte != 0x7f {
                assert_eq!(encode_mu(decode_mu(byte)), byte, "mu {byte:#x}");
            }
            assert_eq!(encode_a(decode_a(byte)), byte, "a {byte:#x}");
        }
        assert_eq!(encode_mu(decode_mu(0x7f)), MU_SILENCE);
    }

    #[test]
    fn the_error_stays_within_half_a_step_of_the_segment() {
        for sample in i16::MIN..=i16::MAX {
            let magnitude = i32::from(sample).abs();
            for codec in [Codec::Pcmu, Codec::Pcma] {
                let back = i32::from(decode(codec, encode(codec, sample)));
                let error = (back - i32::from(sample)).abs();
                assert!(error <= magnitude / 16 + 8 || magnitude > MU_CLIP, "{sample} {back}");
            }
        }
    }

    #[test]
    fn known_values_of_the_recommendation() {
        // G.711 tables 1a and 2a: the outermost decision values and silence.
        assert_eq!((decode_mu(0x00), decode_mu(0x80), decode_mu(0xff)), (-32_124, 32_124, 0));
        assert_eq!((decode_a(0x2a), decode_a(0xaa), decode_a(0xd5)), (-32_256, 32_256, 8));
        assert_eq!((encode_mu(0), encode_a(0)), (MU_SILENCE, A_SILENCE));
        assert_eq!((encode_mu(i16::MIN), encode_mu(i16::MAX)), (0x00, 0x80));
        assert_eq!((encode_a(i16::MIN), encode_a(i16::MAX)), (0x2a, 0xaa));
    }

    #[test]
    fn from_one_law_to_the_other_and_back_keeps_the_loudness() {
        let bytes: Vec<u8> = (0..=255).collect();
        let (mut a, mut mu) = ([0; 256], [0; 256]);
        transcode_slice(Codec::Pcmu, &bytes, Codec::Pcma, &mut a);
        transcode_slice(Codec::Pcma, &a, Codec::Pcmu, &mut mu);
        for (before, after) in bytes.iter().zip(&mu) {
            let (x, y) = (i32::from(decode_mu(*before)), i32::from(decode_mu(*after)));
            assert!((x - y).abs() <= x.abs() / 12 + 16, "{x} {y}");
        }
    }
}
