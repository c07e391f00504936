//! The head of a WAV file (RIFF, Microsoft "Multiple Channel Audio Data and WAVE Files").

/// 16 bit mono samples at 8 kHz, little-endian, as a WAV file.
pub(crate) fn mono_8k(samples: &[u8]) -> Vec<u8> {
    const RATE: u32 = 8_000;
    const BLOCK: u16 = 2;
    let data = u32::try_from(samples.len()).unwrap_or(u32::MAX - 36);
    let mut wav = Vec::with_capacity(44 + samples.len());
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + data).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16_u32.to_le_bytes());
    wav.extend_from_slice(&1_u16.to_le_bytes());
    wav.extend_from_slice(&1_u16.to_le_bytes());
    wav.extend_from_slice(&RATE.to_le_bytes());
    wav.extend_from_slice(&(RATE * u32::from(BLOCK)).to_le_bytes());
    wav.extend_from_slice(&BLOCK.to_le_bytes());
    wav.extend_from_slice(&16_u16.to_le_bytes());
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&data.to_le_bytes());
    wav.extend_from_slice(samples);
    wav
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_head_is_44_bytes_and_says_how_much_follows() {
        let wav = super::mono_8k(&[1, 2, 3, 4]);
        assert_eq!(wav.len(), 48);
        assert_eq!(&wav[4..8], 40_u32.to_le_bytes());
        assert_eq!(&wav[40..], [4, 0, 0, 0, 1, 2, 3, 4]);
    }
}
