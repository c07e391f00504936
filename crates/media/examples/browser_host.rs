//! A media host for one page at a time, steered by lines on stdin: the house's side of
//! `tests/browser/proof.mjs`, which drives a real browser against it.
//!
//! In: `offer HEX` (SDP), `play HEX` (mu-law, looped), `echo`, `hush`, `take`, `drop` (the
//! leg is forgotten, as by a restart), end of input = quit.
//! Out: `answer HEX`, `refused WHY`, `up`, `down`, `digit D`, `heard HEX` (mu-law since last time).

use std::fmt::Write as _;
use std::io::{BufRead, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use media::dtmf::{Receiver as Keys, Reception};
use media::webrtc::{BrowserLeg, BrowserOut, Routes, install_crypto};
use model::limits::FRAME_SAMPLES;

const TICK: Duration = Duration::from_millis(20);
const SILENCE: [u8; FRAME_SAMPLES] = [0xff; FRAME_SAMPLES];

/// What the page hears.
enum Speech {
    Hush,
    Echo,
    Play { mu_law: Vec<u8>, at: usize },
}

struct Host {
    socket: UdpSocket,
    local: SocketAddr,
    leg: Option<BrowserLeg>,
    routes: Routes<()>,
    speech: Speech,
    heard: Vec<u8>,
    timestamp: u32,
    started: Instant,
    keys: Keys,
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn from_hex(text: &str) -> Vec<u8> {
    let nibble = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or(0) as u8;
    text.as_bytes()
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |sum, n| sum << 4 | nibble(n)))
        .collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Host {
    fn obey(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "offer" => self.answer(&String::from_utf8_lossy(&from_hex(rest))),
            "play" => self.speech = Speech::Play { mu_law: from_hex(rest), at: 0 },
            "echo" => self.speech = Speech::Echo,
            "hush" => self.speech = Speech::Hush,
            "drop" => self.leg = None,
            "take" => say(&format!("heard {}", to_hex(&std::mem::take(&mut self.heard)))),
            _ => say(&format!("unknown {word}")),
        }
    }

    fn answer(&mut self, offer: &str) {
        match BrowserLeg::answer(offer, self.local, Instant::now()) {
            Ok((leg, sdp)) => {
                self.routes.add((), leg.ufrag());
                self.leg = Some(leg);
                say(&format!("answer {}", to_hex(sdp.as_bytes())));
            }
            Err(fault) => say(&format!("refused {fault}")),
        }
    }

    fn take_datagram(&mut self, source: SocketAddr, datagram: &[u8]) {
        let (Some(()), Some(leg)) = (self.routes.find(source, datagram), &mut self.leg) else {
            return;
        };
        if leg.receive(Instant::now(), source, self.local, datagram) {
            self.routes.learn(source, ());
        }
    }

    /// Gives out what the leg has to say and returns when to come again.
    fn poll(&mut self) -> Option<Instant> {
        let leg = self.leg.as_mut()?;
        let (socket, heard, mut arrived) = (&self.socket, &mut self.heard, Vec::new());
        let (started, keys) = (self.started, &mut self.keys);
        let deadline = leg.poll(Instant::now(), &mut |out| match out {
            BrowserOut::Transmit { to, bytes } => drop(socket.send_to(bytes, to)),
            BrowserOut::Frame { timestamp, payload, .. } => {
                heard.extend(payload);
                arrived.push((timestamp, payload.to_vec()));
            }
            BrowserOut::Key { timestamp, payload, .. } => {
                let now_ms = started.elapsed().as_millis() as u64;
                if let Reception::Pressed(digit) = keys.receive(now_ms, timestamp, payload) {
                    say(&format!("digit {digit}"));
                }
            }
            BrowserOut::Up => say("up"),
            BrowserOut::Down => say("down"),
        });
        if matches!(self.speech, Speech::Echo) && !arrived.is_empty() {
            for (timestamp, payload) in arrived {
                leg.send_frame(Instant::now(), timestamp, &payload, false);
            }
            return self.poll();
        }
        Some(deadline)
    }

    /// One frame of our own speech.
    fn tick(&mut self) {
        self.timestamp = self.timestamp.wrapping_add(FRAME_SAMPLES as u32);
        let Some(leg) = &mut self.leg else { return };
        match &mut self.speech {
            Speech::Echo => {}
            Speech::Hush => leg.send_frame(Instant::now(), self.timestamp, &SILENCE, false),
            Speech::Play { mu_law, at } => {
                let frame: Vec<u8> =
                    mu_law.iter().cycle().skip(*at).take(FRAME_SAMPLES).copied().collect();
                *at = (*at + FRAME_SAMPLES) % mu_law.len().max(1);
                leg.send_frame(Instant::now(), self.timestamp, &frame, false);
            }
        }
    }

    fn run(&mut self, commands: &Receiver<String>) -> std::io::Result<()> {
        let mut next_tick = Instant::now() + TICK;
        let mut buffer = [0; 2_048];
        loop {
            match commands.try_recv() {
                Ok(line) => self.obey(&line),
                Err(TryRecvError::Disconnected) => return Ok(()),
                Err(TryRecvError::Empty) => {}
            }
            if next_tick <= Instant::now() {
                next_tick += TICK;
                self.tick();
            }
            let until = self.poll().map_or(next_tick, |at| at.min(next_tick));
            let wait = until.saturating_duration_since(Instant::now());
            self.socket.set_read_timeout(Some(wait.max(Duration::from_micros(100))))?;
            if let Ok((length, source)) = self.socket.recv_from(&mut buffer) {
                self.take_datagram(source, &buffer[..length]);
            }
        }
    }
}

fn main() -> std::io::Result<()> {
    install_crypto();
    let ip = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1".to_owned());
    let socket = UdpSocket::bind((ip.as_str(), 0))?;
    let local = socket.local_addr()?;
    let (to_host, commands) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if to_host.send(line).is_err() {
                return;
            }
        }
    });
    let mut host = Host {
        socket,
        local,
        leg: None,
        routes: Routes::default(),
        speech: Speech::Hush,
        heard: Vec::new(),
        timestamp: 0,
        started: Instant::now(),
        keys: Keys::default(),
    };
    host.run(&commands)
}
