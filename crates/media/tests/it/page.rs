//! Browser legs: a page in memory over a real socket, in calls with plain peers.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use media::rtp::Header;
use media::webrtc::install_crypto;
use media::{dtmf, g711};
use model::LegId;
use model::media::{Codec, Hears, MediaCommand, MediaDesc, MediaEvent, MediaFault};
use str0m::change::SdpAnswer;
use str0m::format::{Codec as PageCodec, FormatParams};
use str0m::media::{Direction, Frequency, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc};

use crate::support::{Heard, PATIENCE, PAUSE, Peer, Plane, id, spoken};

/// The page's own payload type of key events.
const PAGE_KEYS: u8 = 126;

/// What a browser tab does, without the browser.
struct Page {
    rtc: Rtc,
    mid: Mid,
    socket: UdpSocket,
    address: SocketAddr,
    voice: u32,
    frame: u32,
    sequence: u64,
    /// When it said or pressed something, and its pauses in all, in samples.
    sent: Instant,
    paused: u32,
    connected: bool,
    heard: Vec<(u32, Vec<u8>)>,
    /// Key events that came: timestamp, marker, event.
    keys: Vec<(u32, bool, dtmf::Event)>,
}

impl Page {
    /// A page whose offer was answered and that is connected.
    fn open(plane: &mut Plane, leg: LegId, voice: u32) -> Self {
        install_crypto();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(2))).expect("a time");
        let address = socket.local_addr().expect("an address");
        let mut config = Rtc::builder().clear_codecs().set_rtp_mode(true);
        let codecs = config.codec_config();
        codecs.enable_pcmu(true, false);
        let format = FormatParams { telephone_event_max: Some(15), ..FormatParams::default() };
        let (keys, rate) = (PAGE_KEYS.into(), Frequency::EIGHT_KHZ);
        codecs.add_config(keys, None, PageCodec::Tele, rate, None, format);
        let mut rtc = config.build(Instant::now());
        rtc.add_local_candidate(Candidate::host(address, "udp").expect("a candidate"));
        let mut change = rtc.sdp_api();
        let mid = change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        let (offer, pending) = change.apply().expect("an offer");
        let (number, sdp) = (u64::from(voice), offer.to_sdp_string());
        plane.send(MediaCommand::BrowserOffer { leg, offer: number, sdp });
        let answer = plane.wait(|event| match event {
            MediaEvent::BrowserAnswer { leg: l, offer, sdp } if (*l, *offer) == (leg, number) => {
                Some(sdp.clone())
            }
            _ => None,
        });
        let answer = SdpAnswer::from_sdp_string(&answer).expect("an answer");
        rtc.sdp_api().accept_answer(pending, answer).expect("accepted");
        let mut page = Self {
            rtc,
            mid,
            socket,
            address,
            voice,
            frame: 0,
            sequence: 100,
            sent: Instant::now(),
            paused: 0,
            connected: false,
            heard: Vec::new(),
            keys: Vec::new(),
        };
        page.run_until(|page| page.connected);
        plane.wait(|event| match event {
            MediaEvent::BrowserUp { leg: l } if *l == leg => Some(()),
            _ => None,
        });
        page
    }

    /// Lets the stack and the socket run once.
    fn step(&mut self) {
        self.rtc.handle_input(Input::Timeout(Instant::now())).expect("time passes");
        loop {
            match self.rtc.poll_output().expect("it runs") {
                Output::Timeout(_) => break,
                Output::Transmit(datagram) => {
                    let sent = self.socket.send_to(&datagram.contents, datagram.destination);
                    sent.expect("loopback takes it");
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::RtpPacket(packet)) => {
                    let header = &packet.header;
                    if *header.payload_type == PAGE_KEYS {
                        let event = dtmf::Event::parse(&packet.payload).expect("an event");
                        self.keys.push((header.timestamp, header.marker, event));
                    } else {
                        self.heard.push((header.timestamp, packet.payload.to_vec()));
                    }
                }
                Output::Event(_) => {}
            }
        }
        let mut buffer = [0; 2_000];
        if let Ok((length, source)) = self.socket.recv_from(&mut buffer) {
            let bytes = &buffer[..length];
            let received = Receive::new(Protocol::Udp, source, self.address, bytes);
            let input = Input::Receive(Instant::now(), received.expect("WebRTC"));
            self.rtc.handle_input(input).expect("taken");
        }
    }

    fn run_until(&mut self, mut done: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < deadline, "the page waits in vain");
            self.step();
        }
    }

    /// A page's clock goes on while it sends nothing.
    fn pause(&mut self) {
        let silent = self.sent.elapsed();
        if silent > PAUSE {
            self.paused += silent.as_millis() as u32 * 8;
        }
        self.sent = Instant::now();
    }

    fn say(&mut self) {
        self.pause();
        let payload = spoken(Codec::Pcmu, self.voice, self.frame);
        self.send(0, false, &payload);
        self.frame += 1;
    }

    fn send(&mut self, payload_type: u8, marker: bool, payload: &[u8]) {
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(self.mid, None).expect("a stream");
        let (now, timestamp) = (Instant::now(), self.frame * 160 + self.paused);
        let packet =
            RtpWrite::new(payload_type.into(), self.sequence.into(), timestamp, now, payload);
        stream.write_rtp(packet.marker(marker));
        self.sequence += 1;
        self.step();
    }

    /// Presses a key for 100 ms instead of speaking, as browsers do.
    fn press(&mut self, key: char) {
        self.pause();
        for (marker, payload) in dtmf::Sender::new(key, 100, 20).expect("a key") {
            self.send(PAGE_KEYS, marker, &payload);
        }
        self.frame += 7;
    }

    /// Waits for a frame with exactly this sound.
    fn hear(&mut self, sound: &[u8]) {
        self.run_until(|page| page.heard.iter().any(|(_, heard)| heard == sound));
    }
}

fn to_page(leg: LegId) -> Hears {
    Hears::Legs(vec![leg])
}

/// Connects a page's leg with a peer.
fn connect(plane: &mut Plane, rev: u64, call: model::CallId, leg: LegId, peer: &Peer) {
    let graph = model::Graph {
        hears: [(leg, Hears::Legs(vec![peer.leg])), (peer.leg, to_page(leg))].into(),
        record: None,
    };
    plane.send(MediaCommand::Graph { call, tenant: id(), rev, graph, recording_file: None });
    plane.wait(|event| match event {
        MediaEvent::Applied { rev: r, .. } if *r == rev => Some(()),
        _ => None,
    });
}

/// Both say ten frames and hear each other's.
fn talk(page: &mut Page, peer: &mut Peer) {
    for _ in 0..10 {
        let mut said = [0; 160];
        let sound = peer.say();
        g711::transcode_slice(peer.codec, &sound, Codec::Pcmu, &mut said);
        page.hear(&said);
        page.say();
        let mut said = [0; 160];
        let sound = spoken(Codec::Pcmu, page.voice, page.frame - 1);
        g711::transcode_slice(Codec::Pcmu, &sound, peer.codec, &mut said);
        let deadline = Instant::now() + PATIENCE;
        while peer.hear_within(Duration::from_millis(2)).is_none_or(|heard| heard.payload != said) {
            assert!(Instant::now() < deadline, "the peer waits in vain");
            page.step();
        }
    }
}

#[test]
fn a_page_and_a_caller_hear_each_other_also_after_a_reload() {
    let mut plane = Plane::start();
    let (leg, call) = (id(), id());
    let mut caller = plane.peer(1, Codec::Pcma);
    let mut page = Page::open(&mut plane, leg, 2);
    connect(&mut plane, 1, call, leg, &caller);
    talk(&mut page, &mut caller);
    // The page is loaded anew: same leg, same graph, nobody states anything again.
    let mut page = Page::open(&mut plane, leg, 3);
    talk(&mut page, &mut caller);
    let order = page.heard.windows(2).all(|pair| pair[0].0 < pair[1].0);
    assert!(order, "the page's stream never runs backwards");
    plane.send(MediaCommand::Close { leg });
    let quality = plane.wait(|event| match event {
        MediaEvent::Closed { leg: l, quality } if *l == leg => Some(*quality),
        _ => None,
    });
    assert!(quality.packets_in >= 20 && quality.packets_out >= 20, "{quality:?}");
    plane.handle.stop();
}

/// Samples by which the sound may be behind its own clock before the stream sets it anew.
const STALL_SAMPLES: u32 = 480;

/// The sound behind a key is one stream with it: nothing is missing, nothing comes twice. `said` is
/// how far the page's own clock went on between the two. Where the machine stalled between them,
/// in the `sent` that it took to send both, the house has filled the time.
fn sound_behind(
    caller: &mut Peer,
    press: &[Heard],
    (began, sent): (Instant, Duration),
    said: u32,
) -> Header {
    let header = press[0].header;
    let mut filled = Vec::new();
    let sound = loop {
        let heard = caller.hear();
        if !heard.is_silence() {
            break heard;
        }
        filled.push(heard.header);
    };
    assert_eq!((sound.header.payload_type, sound.header.ssrc), (0, header.ssrc));
    let frames = u128::try_from(filled.len()).expect("few");
    assert!(frames * 20 <= sent.as_millis(), "{frames} frames fill {sent:?}");
    let keys = press.iter().map(|heard| &heard.header);
    let sequence = keys.chain(&filled).chain([&sound.header]).map(|header| header.sequence);
    let count = u16::try_from(filled.len()).expect("few") + 8;
    let next = (0..count).map(|n| header.sequence.wrapping_add(n));
    assert_eq!(sequence.collect::<Vec<u16>>(), next.collect::<Vec<u16>>());
    let since = |at: u32| at.wrapping_sub(header.timestamp);
    let filled_until = filled.iter().fold(0, |until, header| {
        assert!(since(header.timestamp) >= until, "the stream never runs backwards");
        since(header.timestamp) + 160
    });
    let stamps = since(sound.header.timestamp);
    let passed = 160 + 8 * u32::try_from(began.elapsed().as_millis()).expect("short");
    // The sound was behind by that much at most when the key came, so it is set anew only when
    // more time passed than the key takes.
    if filled.is_empty() && passed <= said {
        assert_eq!(stamps, said);
    } else {
        let earliest = if filled.is_empty() { said } else { filled_until };
        let behind = passed.max(said) + STALL_SAMPLES;
        assert!((earliest..=behind).contains(&stamps), "{stamps} of {earliest} to {behind}");
    }
    sound.header
}

#[test]
fn keys_pass_between_a_page_and_a_caller_both_ways() {
    let mut plane = Plane::start();
    let (leg, call) = (id(), id());
    let mut caller = Peer::new(1, Codec::Pcmu);
    let remote = MediaDesc { dtmf: Some(96), ..caller.desc() };
    plane.send(MediaCommand::Prepare { leg: caller.leg, remote: Some(remote.into()) });
    let local = plane.prepared(caller.leg);
    caller.server = (local.address, local.port).into();
    let mut page = Page::open(&mut plane, leg, 2);
    connect(&mut plane, 1, call, leg, &caller);
    talk(&mut page, &mut caller);
    let mut last = None;
    for key in ['1', '1', '#'] {
        let began = Instant::now();
        page.press(key);
        let paused = page.paused;
        page.say();
        // How far the page's own clock went on from the key to the sound behind it.
        let said = 7 * 160 + page.paused - paused;
        let sent = began.elapsed();
        let press: Vec<_> = (0..7).map(|_| caller.hear()).collect();
        let events = press.iter().map(|heard| dtmf::Event::parse(&heard.payload).expect("a key"));
        let events: Vec<dtmf::Event> = events.collect();
        assert!(press.iter().all(|heard| heard.header.payload_type == 96), "{press:?}");
        assert!(events.iter().all(|event| event.key() == Some(key)), "{events:?}");
        assert!(events.windows(2).all(|pair| pair[0].duration <= pair[1].duration));
        assert_eq!(events.iter().filter(|event| event.end).count(), 3, "the end is sent thrice");
        let header = press[0].header;
        assert!(press.iter().all(|heard| heard.header.timestamp == header.timestamp));
        assert!(header.marker && press[1..].iter().all(|heard| !heard.header.marker));
        let sound = sound_behind(&mut caller, &press, (began, sent), said);
        if let Some(last) = last.replace(sound.sequence) {
            assert_eq!(header.sequence, u16::wrapping_add(last, 1));
        }
        let told = plane.wait(|event| match event {
            MediaEvent::Digit { leg: l, digit } if *l == leg => Some(*digit),
            _ => None,
        });
        assert_eq!(told, key);
    }
    for (n, key) in ['5', '*'].into_iter().enumerate() {
        caller.press_as(96, key);
        page.run_until(|page| page.keys.len() >= 7 * (n + 1));
        let press = page.keys.split_off(7 * n);
        page.keys.extend_from_slice(&press);
        assert_eq!(press.len(), 7);
        assert!(press.iter().all(|(at, _, event)| *at == press[0].0 && event.key() == Some(key)));
        assert_eq!(press.iter().filter(|(_, marker, _)| *marker).count(), 1);
        assert_eq!(press.iter().filter(|(_, _, event)| event.end).count(), 3);
    }
    assert!(page.keys[0].0 != page.keys[7].0, "two presses");
    talk(&mut page, &mut caller);
    plane.handle.stop();
}

#[test]
fn two_pages_and_a_caller_are_mixed() {
    let mut plane = Plane::start();
    let (one, two, call) = (id(), id(), id());
    let mut caller = plane.peer(1, Codec::Pcmu);
    let mut first = Page::open(&mut plane, one, 2);
    let mut second = Page::open(&mut plane, two, 3);
    let hears = |a, b| Hears::Legs(vec![a, b]);
    let graph = model::Graph {
        hears: [
            (caller.leg, hears(one, two)),
            (one, hears(caller.leg, two)),
            (two, hears(one, caller.leg)),
        ]
        .into(),
        record: None,
    };
    plane.send(MediaCommand::Graph { call, tenant: id(), rev: 1, graph, recording_file: None });
    let level = g711::encode_mu(4_000);
    let sum = g711::decode(Codec::Pcmu, level) * 2;
    let mixed = [g711::encode_mu(sum); 160];
    let deadline = Instant::now() + PATIENCE;
    let mut right = 0;
    while right < 10 {
        assert!(Instant::now() < deadline, "the mix never came");
        for page in [&mut first, &mut second] {
            page.send(0, false, &[level; 160]);
            page.frame += 1;
        }
        right += usize::from(caller.hear().payload == mixed);
        caller.say();
    }
    plane.handle.stop();
}

#[test]
fn a_bad_offer_and_strangers_are_refused() {
    let mut plane = Plane::start();
    let leg = id();
    let caller = plane.peer(1, Codec::Pcmu);
    for (leg, sdp) in [(leg, "v=0\r\n"), (caller.leg, "")] {
        plane.send(MediaCommand::BrowserOffer { leg, offer: 7, sdp: sdp.to_owned() });
        let why = plane.wait(|event| match event {
            MediaEvent::BrowserRefused { leg: l, offer: 7, why } if *l == leg => Some(*why),
            _ => None,
        });
        assert_eq!(why, MediaFault::BadDescription);
    }
    let mut page = Page::open(&mut plane, leg, 2);
    connect(&mut plane, 1, id(), leg, &caller);
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    for n in 0..200_u8 {
        let bytes = [n; 60];
        stranger.send_to(&bytes, plane.handle.browser_addr()).expect("loopback takes it");
    }
    let mut caller = caller;
    talk(&mut page, &mut caller);
    assert!(plane.handle.metrics().refused.stranger >= 100);
    plane.handle.stop();
}
