//! Writer and reader together: whole, cut at any byte, damaged, refused by the disk.

use std::fs;
use std::path::{Path, PathBuf};

use model::id::Id as _;
use model::media::MediaEvent;
use model::random::Random;
use model::{CallId, LegId, RecordingId, TenantId, Timestamp};
use tokio::sync::mpsc::channel;
use uuid::Uuid;

use super::tape::Block;
use super::writer::{Message, Writer};
use super::{
    BLOCK_HEADER_BYTES, BLOCK_SAMPLES, FileHeader, HEADER_BYTES, Recording, WavView, peaks, salvage,
};
use crate::vital::Vitals;

fn header() -> FileHeader {
    let id = Uuid::from_u128;
    FileHeader {
        start: Timestamp::from_micros(1_790_000_000_000_000),
        tenant: TenantId::from_uuid(id(1)),
        call: CallId::from_uuid(id(2)),
        recording: RecordingId::from_uuid(id(3)),
        leg: LegId::from_uuid(id(4)),
    }
}

/// A block whose sound follows from its number.
fn block(n: u64, samples: usize) -> Box<Block> {
    let mut random = Random::new(n);
    let mut block = Block::empty();
    (block.start, block.samples) = (n * BLOCK_SAMPLES as u64, samples);
    block.sound.fill_with(|| random.next_u64() as u8);
    Box::new(block)
}

/// Writes blocks of `samples` and gives the event that ended the recording.
fn write(path: &Path, samples: &[usize], whole: bool) -> MediaEvent {
    let (sender, mut events) = channel(8);
    let (writer, link) = Writer::start(sender, &Vitals::new()).expect("threads");
    link.send(Message::Open(path.to_path_buf(), header())).expect("room");
    for (n, samples) in samples.iter().enumerate() {
        let block = block(n as u64, *samples);
        link.send(Message::Block(header().recording, block)).expect("room");
    }
    link.send(Message::Finish(header().recording, whole)).expect("room");
    drop(link);
    writer.join();
    events.try_recv().expect("the end is told")
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tenant/2026-11-22/call/1.rec");
    (folder, path)
}

fn read_whole(view: &WavView) -> Vec<u8> {
    let mut wav = vec![0; view.len() as usize];
    let mut at = 0;
    while at < wav.len() {
        at += view.read_at(at as u64, &mut wav[at..]).expect("the disk reads");
    }
    wav
}

/// The WAV bytes of block `n`.
fn expected(n: u64, samples: usize) -> Vec<u8> {
    let block = block(n, samples);
    let decode = |byte: u8| crate::g711::decode(model::media::Codec::Pcmu, byte).to_le_bytes();
    let sides = block.sound[..samples].iter().zip(&block.sound[BLOCK_SAMPLES..]);
    sides.flat_map(|(said, heard)| [decode(*said), decode(*heard)].concat()).collect()
}

#[test]
fn what_was_written_is_played() {
    let (_folder, path) = folder();
    let event = write(&path, &[BLOCK_SAMPLES, BLOCK_SAMPLES, 1_000], true);
    let told = salvage(&path).expect("a recording");
    assert!(told.finished && told.header == header());
    let length_ms = (2 * BLOCK_SAMPLES as i64 + 1_000) / 8;
    let (call, recording) = (header().call, header().recording);
    let sha256 = told.sha256;
    let complete = true;
    assert_eq!(event, MediaEvent::RecordingEnded { call, recording, length_ms, sha256, complete });
    let view = WavView::open(&path).expect("a recording");
    let wav = read_whole(&view);
    assert_eq!(&wav[..4], b"RIFF");
    let sound = [expected(0, BLOCK_SAMPLES), expected(1, BLOCK_SAMPLES), expected(2, 1_000)];
    assert!(wav[44..] == sound.concat());
    let mut random = Random::new(1);
    for _ in 0..500 {
        let from = random.below(wav.len() as u64 + 10) as usize;
        let mut buffer = vec![0; random.below(9_000) as usize];
        let length = view.read_at(from as u64, &mut buffer).expect("the disk reads");
        assert_eq!(length, buffer.len().min(wav.len().saturating_sub(from)));
        assert!(buffer[..length] == wav[from.min(wav.len())..][..length]);
    }
}

#[test]
fn cut_at_any_byte_it_is_whole_to_the_last_block() {
    let (_folder, path) = folder();
    write(&path, &[BLOCK_SAMPLES; 3], true);
    let bytes = fs::read(&path).expect("the file");
    let block_bytes = BLOCK_HEADER_BYTES + 2 * BLOCK_SAMPLES;
    let cut = path.with_extension("cut");
    let near = |at: usize| at.saturating_sub(40)..at + 40;
    let lengths = (0..4).flat_map(|n| near(HEADER_BYTES + n * block_bytes));
    for length in lengths.chain((0..bytes.len()).step_by(997)) {
        fs::write(&cut, &bytes[..length.min(bytes.len())]).expect("written");
        let Ok(recording) = Recording::open(&cut) else {
            assert!(length < HEADER_BYTES, "{length}");
            continue;
        };
        let whole = (length - HEADER_BYTES) / block_bytes;
        assert_eq!(recording.length_ms(), whole.min(3) as u64 * 600, "{length}");
        assert_eq!(super::length_by_size(length as u64), whole as u64 * 600, "{length}");
        assert_eq!(recording.finished(), length >= bytes.len());
        let view = WavView::open(&cut).expect("a recording");
        assert_eq!(read_whole(&view).len(), 44 + whole.min(3) * BLOCK_SAMPLES * 4);
        if length % 9 == 0 {
            salvage(&cut).expect("a recording");
            let kept = fs::read(&cut).expect("the file");
            assert!(bytes.starts_with(&kept) && kept.len() <= length);
        }
    }
}

#[test]
fn a_damaged_block_is_silent_in_its_place_and_nothing_panics() {
    let (_folder, path) = folder();
    write(&path, &[BLOCK_SAMPLES; 3], true);
    let bytes = fs::read(&path).expect("the file");
    let mut damaged = bytes.clone();
    damaged[HEADER_BYTES + BLOCK_HEADER_BYTES + 77] ^= 0x10;
    fs::write(&path, &damaged).expect("written");
    let wav = read_whole(&WavView::open(&path).expect("a recording"));
    let first = BLOCK_SAMPLES * 4;
    assert!(wav[44..44 + first].iter().all(|byte| *byte == 0));
    assert!(wav[44 + first..44 + 2 * first] == expected(1, BLOCK_SAMPLES));
    let mut random = Random::new(2);
    for _ in 0..500 {
        let mut wild = bytes[..2_000 + random.below(20_000) as usize].to_vec();
        for _ in 0..1 + random.below(6) {
            let at = HEADER_BYTES + random.below((wild.len() - HEADER_BYTES) as u64) as usize;
            wild[at.min(HEADER_BYTES + random.below(60) as usize)] = random.next_u64() as u8;
        }
        fs::write(&path, &wild).expect("written");
        let view = WavView::open(&path).expect("the header is whole");
        let mut buffer = [0; 4_096];
        view.read_at(random.below(view.len()), &mut buffer).expect("the disk reads");
        assert!(view.recording().pauses().len() <= 600);
    }
}

#[test]
fn a_lost_block_is_a_gap_and_told() {
    let (_folder, path) = folder();
    let (sender, mut events) = channel(8);
    let (writer, link) = Writer::start(sender, &Vitals::new()).expect("threads");
    link.send(Message::Open(path.clone(), header())).expect("room");
    for n in [0, 2] {
        let block = block(n, BLOCK_SAMPLES);
        link.send(Message::Block(header().recording, block)).expect("room");
    }
    // The process ends without finishing it.
    drop(link);
    writer.join();
    let event = events.try_recv().expect("the end is told");
    assert!(matches!(event, MediaEvent::RecordingEnded { complete: false, length_ms: 1_800, .. }));
    let wav = read_whole(&WavView::open(&path).expect("a recording"));
    let block_bytes = BLOCK_SAMPLES * 4;
    assert!(wav[44 + block_bytes..44 + 2 * block_bytes].iter().all(|byte| *byte == 0));
    assert!(wav[44 + 2 * block_bytes..] == expected(2, BLOCK_SAMPLES));
    let peaks = peaks(&path, 3).expect("a recording");
    assert_eq!((peaks.said.len(), peaks.samples_per_point), (3, BLOCK_SAMPLES as u64));
    assert!(peaks.said[0] > 30_000 && peaks.said[1] == 0 && peaks.heard[2] > 30_000);
}

#[test]
fn a_disk_that_refuses_is_told() {
    let (folder, _) = folder();
    let blocked = folder.path().join("blocked");
    fs::write(&blocked, b"a file, not a folder").expect("written");
    let event = write(&blocked.join("1.rec"), &[BLOCK_SAMPLES], true);
    assert!(matches!(event, MediaEvent::RecordingEnded { complete: false, length_ms: 0, .. }));
    // A file that is there is never written over.
    let event = write(&blocked, &[BLOCK_SAMPLES], true);
    assert!(matches!(event, MediaEvent::RecordingEnded { complete: false, .. }));
    assert_eq!(fs::read(&blocked).expect("the file"), b"a file, not a folder");
}
