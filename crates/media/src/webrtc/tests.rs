//! A leg against a page in memory, on a clock that the test moves.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use model::media::MediaFault;
use model::random::Random;
use str0m::change::SdpAnswer;
use str0m::format::{Codec, FormatParams};
use str0m::media::{Direction, Frequency, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use super::{BrowserLeg, BrowserOut, demux, install_crypto};

const TICK: Duration = Duration::from_millis(20);
const MU_LAW_SILENCE: [u8; 160] = [0xff; 160];

/// Audio or a key report as the page got or sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sound {
    timestamp: u32,
    payload: Vec<u8>,
}

/// One leg of ours, one page, and the wire between them.
struct Wire {
    now: Instant,
    house: SocketAddr,
    browser: SocketAddr,
    /// The address under which the house sees the page: the browser's, unless a NAT stands between.
    seen_as: SocketAddr,
    page: Rtc,
    mid: Mid,
    leg: BrowserLeg,
    /// Datagrams under way to the house; kept so that tests can bend them.
    to_house: Vec<Vec<u8>>,
    heard_by_house: Vec<Sound>,
    heard_by_page: Vec<Sound>,
    keys: Vec<Sound>,
    ups: u32,
    downs: u32,
    next_sequence: u64,
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

fn page_config(codecs: &[Codec]) -> RtcConfig {
    let mut config = Rtc::builder().clear_codecs().set_rtp_mode(true);
    let list = config.codec_config();
    list.enable_opus(codecs.contains(&Codec::Opus), false);
    list.enable_pcmu(codecs.contains(&Codec::PCMU), false);
    if codecs.contains(&Codec::Tele) {
        let format = FormatParams { telephone_event_max: Some(16), ..FormatParams::default() };
        list.add_config(126.into(), None, Codec::Tele, Frequency::EIGHT_KHZ, None, format);
    }
    config
}

/// A page with its offer.
fn page(now: Instant, codecs: &[Codec]) -> (Rtc, Mid, String, str0m::change::SdpPendingOffer) {
    install_crypto();
    let mut page = page_config(codecs).build(now);
    page.add_local_candidate(Candidate::host(address(5_000), "udp").unwrap());
    let mut change = page.sdp_api();
    let mid = change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
    let (offer, pending) = change.apply().unwrap();
    (page, mid, offer.to_sdp_string(), pending)
}

impl Wire {
    fn new() -> Self {
        Self::with_offer(str::to_owned)
    }

    fn with_offer(bend: impl Fn(&str) -> String) -> Self {
        let now = Instant::now();
        let (mut page, mid, offer, pending) = page(now, &[Codec::Opus, Codec::PCMU, Codec::Tele]);
        let (leg, answer) = BrowserLeg::answer(&bend(&offer), address(7_800), now).unwrap();
        page.sdp_api()
            .accept_answer(pending, SdpAnswer::from_sdp_string(&answer).unwrap())
            .unwrap();
        Self {
            now,
            house: address(7_800),
            browser: address(5_000),
            seen_as: address(5_000),
            page,
            mid,
            leg,
            to_house: Vec::new(),
            heard_by_house: Vec::new(),
            heard_by_page: Vec::new(),
            keys: Vec::new(),
            ups: 0,
            downs: 0,
            next_sequence: 100,
        }
    }

    /// Moves the page to now and puts what it sends on the wire.
    fn run_page(&mut self) {
        self.page.handle_input(Input::Timeout(self.now)).unwrap();
        loop {
            match self.page.poll_output() {
                Ok(Output::Timeout(_)) | Err(_) => return,
                Ok(Output::Transmit(datagram)) => {
                    assert_eq!(datagram.destination, self.house);
                    self.to_house.push(datagram.contents.to_vec());
                }
                Ok(Output::Event(Event::RtpPacket(packet))) => self.heard_by_page.push(Sound {
                    timestamp: packet.header.timestamp,
                    payload: packet.payload.to_vec(),
                }),
                Ok(Output::Event(_)) => {}
            }
        }
    }

    /// Polls the leg and hands the page what comes out.
    fn run_leg(&mut self) -> bool {
        let mut to_page = Vec::new();
        let Self { leg, heard_by_house, keys, ups, downs, seen_as, .. } = self;
        let _ = leg.poll(self.now, &mut |out| match out {
            BrowserOut::Transmit { to, bytes } => {
                if to == *seen_as {
                    to_page.push(bytes.to_vec());
                }
            }
            BrowserOut::Frame { timestamp, payload, .. } => {
                heard_by_house.push(Sound { timestamp, payload: payload.to_vec() });
            }
            BrowserOut::Key { timestamp, payload, .. } => {
                keys.push(Sound { timestamp, payload: payload.to_vec() });
            }
            BrowserOut::Up => *ups += 1,
            BrowserOut::Down => *downs += 1,
        });
        for bytes in &to_page {
            let received = Receive::new(Protocol::Udp, self.house, self.browser, bytes).unwrap();
            let _ = self.page.handle_input(Input::Receive(self.now, received));
            self.run_page();
        }
        !to_page.is_empty()
    }

    fn deliver(&mut self) -> bool {
        let datagrams = std::mem::take(&mut self.to_house);
        for bytes in &datagrams {
            let _ = self.leg.receive(self.now, self.seen_as, self.house, bytes);
            self.run_leg();
        }
        !datagrams.is_empty()
    }

    /// Both sides talk until nobody has anything to say, then time goes on.
    fn step(&mut self) {
        self.run_page();
        while self.deliver() || self.run_leg() {
            self.run_page();
        }
        self.now += TICK;
    }

    fn run_for(&mut self, length: Duration) {
        let until = self.now + length;
        while self.now < until {
            self.step();
        }
    }

    /// # Panics
    /// When it takes more than a second of the clock.
    fn connect(&mut self) {
        let until = self.now + Duration::from_secs(1);
        while self.ups == 0 || !self.page.is_connected() {
            assert!(self.now < until, "not connected within a second");
            self.step();
        }
    }

    fn page_pt(&self, codec: Codec) -> Pt {
        let offered = self.page.media(self.mid).unwrap().remote_pts();
        let params = self
            .page
            .codec_config()
            .find(|p| p.spec().codec == codec && offered.contains(&p.pt()))
            .unwrap();
        params.pt()
    }

    fn page_sends(&mut self, codec: Codec, timestamp: u32, payload: &[u8]) {
        let pt = self.page_pt(codec);
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let mut api = self.page.direct_api();
        let stream = api.stream_tx_by_mid(self.mid, None).unwrap();
        stream.write_rtp(RtpWrite::new(pt, sequence.into(), timestamp, self.now, payload));
    }

    /// One frame each way, distinct per tick and side.
    fn talk(&mut self, ticks: u32) -> (Vec<Sound>, Vec<Sound>) {
        let (mut by_page, mut by_house) = (Vec::new(), Vec::new());
        for tick in 0..ticks {
            let [low, high, ..] = tick.to_le_bytes();
            let sound = |side: u8| {
                let mut payload = MU_LAW_SILENCE.to_vec();
                payload[..3].copy_from_slice(&[side, low, high]);
                Sound { timestamp: tick * 160 + u32::from(side), payload }
            };
            let (from_page, from_house) = (sound(1), sound(2));
            self.page_sends(Codec::PCMU, from_page.timestamp, &from_page.payload);
            self.leg.send_frame(self.now, from_house.timestamp, &from_house.payload, tick == 0);
            by_page.push(from_page);
            by_house.push(from_house);
            self.step();
        }
        (by_page, by_house)
    }
}

/// Equal, without printing a thousand frames when not.
#[track_caller]
fn assert_same(heard: &[Sound], said: &[Sound]) {
    assert!(heard == said, "{} frames heard, {} said", heard.len(), said.len());
}

#[test]
fn a_page_connects_and_mu_law_passes_untouched_both_ways() {
    let mut wire = Wire::new();
    wire.connect();
    let (by_page, by_house) = wire.talk(500);
    assert_same(&wire.heard_by_house, &by_page);
    assert_same(&wire.heard_by_page, &by_house);
    assert_eq!((wire.ups, wire.downs), (1, 0));
}

#[test]
fn a_leg_can_be_made_on_one_thread_and_run_on_another() {
    fn assert_send<T: Send>() {}
    assert_send::<BrowserLeg>();
}

#[test]
fn the_answer_is_lite_mu_law_and_telephone_event_only() {
    let (_, _, offer, _) = page(Instant::now(), &[Codec::Opus, Codec::PCMU, Codec::Tele]);
    let (leg, answer) = BrowserLeg::answer(&offer, address(7_800), Instant::now()).unwrap();
    assert!(answer.contains("a=ice-lite"), "{answer}");
    assert!(answer.contains(&format!("a=ice-ufrag:{}", leg.ufrag())), "{answer}");
    assert!(answer.contains("192.0.2.1 7800 typ host"), "{answer}");
    assert!(answer.contains("a=setup:passive"), "{answer}");
    let media = answer.lines().find(|line| line.starts_with("m=audio ")).unwrap();
    assert!(media.ends_with(" 0 126"), "the page's own number of telephone-event: {media}");
    assert!(!answer.contains("transport-cc") && !answer.contains("opus"), "{answer}");
    let (_, again) = BrowserLeg::answer(&offer, address(7_800), Instant::now()).unwrap();
    let fingerprint =
        |sdp: &str| sdp.lines().find(|line| line.starts_with("a=fingerprint:")).map(str::to_owned);
    assert_eq!(fingerprint(&answer), fingerprint(&again), "one certificate per process");
}

#[test]
fn keys_pass_untouched_both_ways() {
    let mut wire = Wire::new();
    wire.connect();
    let mut sent = Vec::new();
    for (n, code) in [1_u8, 9, 10, 11, 1].into_iter().enumerate() {
        let timestamp = 8_000 * (1 + u32::try_from(n).unwrap());
        for report in 1..=8_u8 {
            let end = if report > 5 { 0x80 } else { 0 };
            let payload = vec![code, end | 10, 0, 20 * report];
            wire.page_sends(Codec::Tele, timestamp, &payload);
            wire.leg.send_key(wire.now, timestamp, &payload, report == 1);
            wire.step();
            sent.push(Sound { timestamp, payload });
        }
    }
    assert!(wire.leg.takes_keys());
    assert_same(&wire.keys, &sent);
    assert_same(&wire.heard_by_page, &sent);
    assert!(wire.heard_by_house.is_empty(), "reports are no audio");
}

#[test]
fn bad_offers_are_refused_by_kind() {
    let now = Instant::now();
    let (_, _, good, _) = page(now, &[Codec::Opus, Codec::PCMU]);
    let (_, _, opus_only, _) = page(now, &[Codec::Opus]);
    let without = |start: &str| {
        let kept = good.lines().filter(|line| !line.starts_with(start));
        kept.map(|line| format!("{line}\r\n")).collect::<String>()
    };
    let refusal =
        |sdp: &str| BrowserLeg::answer(sdp, address(7_800), now).map(|(_, answer)| answer);
    assert_eq!(refusal(&opus_only), Err(MediaFault::NoCodec));
    let padding = "a=x:y\r\n".repeat(3_000);
    let binary: String = (0..200).filter_map(char::from_u32).collect();
    for bad in [
        String::new(),
        "hello".to_owned(),
        binary,
        good.replace("m=audio", "m=video"),
        good.replace("m=audio 9", "m=audio 0"),
        without("m="),
        without("a=fingerprint:"),
        without("a=ice-ufrag:"),
        without("v="),
        format!("{good}{padding}"),
        format!("{good}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"),
        good.replace("sha-256 ", "sha-256 zz:"),
    ] {
        let refused = refusal(&bad);
        assert_eq!(refused, Err(MediaFault::BadDescription), "{bad}");
    }
    assert!(refusal(&good).is_ok());
}

#[test]
fn candidates_that_mean_nothing_here_are_no_fault() {
    let hidden = "1 udp 2113937151 0f8c1bd4-7f0e-4d2c-9d1e-1c5b6f0a2b3c.local 54321 typ host";
    let tcp = "2 tcp 1518280447 192.0.2.7 9 typ host tcptype active generation 0";
    let (_, _, good, _) = page(Instant::now(), &[Codec::PCMU]);
    let offer = format!("{good}a=candidate:1 {hidden}\r\na=candidate:2 {tcp}\r\n");
    let none: String = good
        .lines()
        .filter(|l| !l.starts_with("a=candidate"))
        .fold(String::new(), |all, line| all + line + "\r\n");
    for offer in [offer, none] {
        assert!(BrowserLeg::answer(&offer, address(7_800), Instant::now()).is_ok(), "{offer}");
    }
}

#[test]
fn bent_offers_never_panic() {
    let mut random = Random::new(2);
    let now = Instant::now();
    let (_, _, good, _) = page(now, &[Codec::Opus, Codec::PCMU, Codec::Tele]);
    let below =
        |random: &mut Random, bound: usize| usize::try_from(random.below(bound as u64)).unwrap();
    for _ in 0..2_000 {
        let mut lines: Vec<String> = good.lines().map(str::to_owned).collect();
        for _ in 0..=random.below(4) {
            let at = below(&mut random, lines.len());
            match random.below(4) {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[below(&mut random, lines.len())].clone()),
                2 => {
                    let cut = below(&mut random, lines[at].len() + 1);
                    lines[at].truncate(cut);
                }
                _ => {
                    let byte = char::from(u8::try_from(32 + random.below(95)).unwrap());
                    let place = below(&mut random, lines[at].len() + 1);
                    lines[at].insert(place, byte);
                }
            }
        }
        let _ = BrowserLeg::answer(&(lines.join("\r\n") + "\r\n"), address(7_800), now);
    }
}

#[test]
fn another_certificate_than_the_offered_is_refused() {
    let mut wire = Wire::with_offer(|offer| {
        let start = offer.find("sha-256 ").unwrap() + 8;
        let other = if offer[start..].starts_with("AA") { "BB" } else { "AA" };
        format!("{}{other}{}", &offer[..start], &offer[start + 2..])
    });
    wire.run_for(Duration::from_secs(3));
    assert_eq!((wire.ups, wire.downs), (0, 1));
    assert!(!wire.leg.receive(wire.now, wire.browser, wire.house, &[22; 64]), "deaf");
}

#[test]
fn dtls_from_a_stranger_is_ignored_and_the_page_still_connects() {
    // What a page says first in DTLS, taken from a page of its own.
    let mut other = Wire::new();
    let hello = loop {
        other.run_page();
        if let Some(hello) = other.to_house.iter().find(|bytes| bytes[0] == 22) {
            break hello.clone();
        }
        other.deliver();
        other.run_leg();
        other.now += TICK;
    };
    let mut wire = Wire::new();
    let stranger = address(6_666);
    for _ in 0..50 {
        assert!(!wire.leg.receive(wire.now, stranger, wire.house, &hello));
        let mut broken = hello.clone();
        broken[20..].fill(0xee);
        assert!(!wire.leg.receive(wire.now, wire.browser, wire.house, &broken), "not yet proven");
        let _ = wire.leg.poll(wire.now, &mut |out| panic!("answered a stranger: {out:?}"));
    }
    wire.connect();
    assert!(!wire.leg.receive(wire.now, stranger, wire.house, &hello));
    let (by_page, _) = wire.talk(10);
    assert_same(&wire.heard_by_house, &by_page);
}

#[test]
fn stun_without_the_password_proves_nothing() {
    let mut wire = Wire::new();
    while wire.to_house.is_empty() {
        wire.run_page();
        wire.now += TICK;
    }
    let request = wire.to_house[0].clone();
    assert_eq!(demux::stun_ufrag(&request), Some(wire.leg.ufrag()));
    let mut forged = request.clone();
    let last = forged.len() - 10;
    forged[last] ^= 1;
    assert!(!wire.leg.receive(wire.now, address(6_666), wire.house, &forged));
    assert!(wire.leg.receive(wire.now, wire.browser, wire.house, &request));
}

#[test]
fn a_page_whose_address_changes_in_mid_call_is_followed() {
    let mut wire = Wire::new();
    wire.connect();
    wire.talk(50);
    wire.seen_as = address(5_001);
    // The page's next check is due within 3 s.
    wire.talk(160);
    wire.heard_by_house.clear();
    wire.heard_by_page.clear();
    let (by_page, by_house) = wire.talk(50);
    assert_same(&wire.heard_by_house, &by_page);
    assert_same(&wire.heard_by_page, &by_house);
    assert_eq!((wire.ups, wire.downs), (1, 0));
}

#[test]
fn broken_or_repeated_srtp_is_ignored() {
    let mut wire = Wire::new();
    wire.connect();
    wire.run_for(Duration::from_millis(200));
    wire.page_sends(Codec::PCMU, 160, &MU_LAW_SILENCE);
    wire.run_page();
    let good = wire.to_house.iter().find(|bytes| bytes[0] >> 6 == 2).unwrap().clone();
    wire.to_house.clear();
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= 0x10;
        let _ = wire.leg.receive(wire.now, wire.browser, wire.house, &bad);
        wire.run_leg();
    }
    assert!(wire.heard_by_house.is_empty(), "a broken packet is not heard");
    for _ in 0..3 {
        let _ = wire.leg.receive(wire.now, wire.browser, wire.house, &good);
        wire.run_leg();
    }
    assert_eq!(wire.heard_by_house.len(), 1, "a repeated packet is heard once");
    assert_eq!(wire.downs, 0);
}

#[test]
fn hostile_datagrams_neither_panic_nor_end_the_leg_of_another() {
    let mut random = Random::new(3);
    let mut wire = Wire::new();
    let mut bystander = Wire::new();
    bystander.connect();
    let mut seen: Vec<Vec<u8>> = vec![vec![0; 40]];
    for round in 0..20_000_u32 {
        wire.run_page();
        seen.extend(wire.to_house.iter().cloned());
        if round % 50 == 0 {
            wire.deliver();
            wire.run_leg();
            wire.now += Duration::from_millis(1);
            seen.truncate(200);
        }
        let pick = usize::try_from(random.below(seen.len() as u64)).unwrap();
        let mut bytes = seen[pick].clone();
        for _ in 0..random.below(4) {
            let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
            bytes[at] = u8::try_from(random.below(256)).unwrap();
        }
        bytes.truncate(usize::try_from(random.below(bytes.len() as u64 + 30)).unwrap());
        let source = if random.below(4) == 0 { address(6_666) } else { wire.browser };
        let _ = wire.leg.receive(wire.now, source, wire.house, &bytes);
        wire.run_leg();
    }
    assert!(wire.downs <= 1, "down at most once");
    let (by_page, by_house) = bystander.talk(10);
    assert_same(&bystander.heard_by_house, &by_page);
    assert_same(&bystander.heard_by_page, &by_house);
}

#[test]
fn a_page_that_never_comes_or_goes_away_is_down_once() {
    let mut never = Wire::new();
    let start = never.now;
    while never.downs == 0 {
        never.run_leg();
        never.now += Duration::from_millis(500);
        assert!(never.now - start <= Duration::from_secs(31));
    }
    let mut gone = Wire::new();
    gone.connect();
    let start = gone.now;
    while gone.downs == 0 {
        gone.run_leg();
        gone.now += TICK;
        assert!(gone.now - start < Duration::from_secs(30), "a lost page is noticed");
    }
    for wire in [&mut never, &mut gone] {
        for _ in 0..100 {
            wire.leg.send_frame(wire.now, 0, &MU_LAW_SILENCE, false);
            assert!(!wire.run_leg(), "mute");
        }
        assert_eq!(wire.downs, 1);
    }
}

#[test]
fn a_page_that_closes_is_down_at_once() {
    let mut wire = Wire::new();
    wire.connect();
    wire.page.close().unwrap();
    wire.run_for(Duration::from_millis(100));
    assert_eq!((wire.ups, wire.downs), (1, 1));
}
