//! What a telephone shall do: whom to call, what to say, which keys when, how long.
//!
//! Plans are data; [`crate::exchange`] carries them out.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use model::media::Codec;

use crate::chirp::Code;
use crate::voice::Sound;

/// A call to make.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where to send it.
    pub peer: SocketAddr,
    /// The number to call.
    pub dialled: String,
    /// The host of the request URI; the peer's address when there is none.
    pub domain: Option<String>,
    /// Our number.
    pub number: String,
    /// Our display name.
    pub name: Option<String>,
    /// The codec that is offered.
    pub codec: Codec,
    /// INVITE without a description: the far side offers, we answer in ACK.
    pub late_offer: bool,
    /// What we say.
    pub sound: Sound,
    /// Keys in order; the moment of each is looked at after the one before was pressed.
    pub keys: Vec<(Moment, char)>,
    /// Begin to speak at this moment, looked at after all keys; `None` speaks from the answer on.
    pub say_from: Option<Moment>,
    /// With `say_from`: hang up when its moment has not come so long after the answer.
    pub patience: Option<Duration>,
    /// With `say_from`: hang up so long after we began to speak.
    pub talk: Option<Duration>,
    /// Hang up at this moment, looked at after all keys.
    pub hang_up: Option<Moment>,
    /// Give up this long after INVITE if nobody answered.
    pub cancel_after: Option<Duration>,
    /// Send no RTP at all.
    pub mute: bool,
    /// Remember what is heard.
    pub keep: bool,
}

impl Plan {
    /// A silent call without end.
    #[must_use]
    pub fn new(peer: SocketAddr, dialled: &str) -> Self {
        Self {
            peer,
            dialled: dialled.to_owned(),
            domain: None,
            number: "+302105550100".to_owned(),
            name: None,
            codec: Codec::Pcmu,
            late_offer: false,
            sound: Sound::Silence,
            keys: Vec::new(),
            say_from: None,
            patience: None,
            talk: None,
            hang_up: None,
            cancel_after: None,
            mute: false,
            keep: true,
        }
    }
}

/// What to do with calls that come.
#[derive(Debug, Clone)]
pub struct Agent {
    /// How long it rings.
    pub ring: Duration,
    /// What comes then.
    pub then: Then,
    /// Hang up this long after the answer; `None` waits for the far side.
    pub talk: Option<Duration>,
    /// What we say.
    pub sound: Sound,
    /// Remember what is heard.
    pub keep: bool,
}

/// What comes after the ringing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Answer.
    Answer,
    /// Refuse with this status.
    Refuse(u16),
    /// Let it ring.
    Nothing,
}

/// When something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// So long after the answer.
    Answer(Duration),
    /// So long after a sound was heard that began after the last key.
    Sound(Duration),
    /// When a sound that began after the last key has been followed by so much quiet.
    Quiet(Duration),
    /// So long after this code was first heard.
    Chirp(Code, Duration),
}

/// A text that names no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a moment such as 3s, 500ms, sound, sound+2s, quiet, quiet+1s, chirp4+1s: {0}")]
pub struct NoMoment(String);

impl FromStr for Moment {
    type Err = NoMoment;
    fn from_str(text: &str) -> Result<Self, NoMoment> {
        let wrong = || NoMoment(text.to_owned());
        let (word, after) = text.split_once('+').unwrap_or((text, ""));
        let later = |default: u64| match after {
            "" => Ok(Duration::from_millis(default)),
            after => duration(after).ok_or_else(wrong),
        };
        match word {
            "sound" => Ok(Self::Sound(later(0)?)),
            "quiet" => Ok(Self::Quiet(later(700)?)),
            _ => match word.strip_prefix("chirp").map(str::parse) {
                Some(Ok(number)) => {
                    Ok(Self::Chirp(Code::new(number).ok_or_else(wrong)?, later(0)?))
                }
                Some(Err(_)) => Err(wrong()),
                None => Ok(Self::Answer(duration(text).ok_or_else(wrong)?)),
            },
        }
    }
}

/// Reads `1500ms`, `3s`, `0.5s` or `2m`.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit_s) = if let Some(number) = text.strip_suffix("ms") {
        (number, 0.001)
    } else if let Some(number) = text.strip_suffix('s') {
        (number, 1.0)
    } else {
        (text.strip_suffix('m')?, 60.0)
    };
    let seconds = number.parse::<f64>().ok()? * unit_s;
    (0.0..=86_400.0).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

/// Reads `3s:1,quiet:2,sound+500ms:12#` into moments and keys. Several keys behind one moment are
/// pressed one after the other.
///
/// # Errors
/// [`NoMoment`] with the part that is wrong.
pub fn keys(text: &str) -> Result<Vec<(Moment, char)>, NoMoment> {
    let mut found = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (moment, keys) = part.rsplit_once(':').ok_or_else(|| NoMoment(part.to_owned()))?;
        let mut moment: Moment = moment.parse()?;
        for key in keys.chars() {
            if !"0123456789*#ABCD".contains(key) {
                return Err(NoMoment(part.to_owned()));
            }
            found.push((moment, key));
            moment = Moment::Answer(Duration::ZERO);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        let ms = Duration::from_millis;
        for (text, moment) in [
            ("3s", Moment::Answer(ms(3_000))),
            ("sound", Moment::Sound(ms(0))),
            ("sound+250ms", Moment::Sound(ms(250))),
            ("quiet", Moment::Quiet(ms(700))),
            ("quiet+2s", Moment::Quiet(ms(2_000))),
            ("chirp3+1s", Moment::Chirp(Code::new(3).expect("a code"), ms(1_000))),
        ] {
            assert_eq!(text.parse(), Ok(moment), "{text}");
        }
        for bad in ["", "3", "loud", "chirp99", "chirp", "-1s", "sound+x", "infs"] {
            assert!(bad.parse::<Moment>().is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_are_read() {
        let read = keys("3s:1,quiet:42#").expect("good keys");
        let pressed: String = read.iter().map(|(_, key)| key).collect();
        assert_eq!(pressed, "142#");
        assert_eq!(read[1].0, Moment::Quiet(Duration::from_millis(700)));
        assert_eq!(read[2].0, Moment::Answer(Duration::ZERO));
        for bad in ["1", "3s:x", "3x:1"] {
            assert!(keys(bad).is_err(), "{bad}");
        }
        assert_eq!(keys(""), Ok(Vec::new()));
    }
}
