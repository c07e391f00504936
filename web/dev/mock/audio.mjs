/** A stereo recording made of bursts that look and sound a little like two people in turn. */
const RATE = 8000;

function voiceAt(seconds, side) {
  const turn = Math.floor(seconds / 7.5) % 2 === side;
  const phrase = Math.sin(seconds * 2.1 + side) > -0.55;
  if (!turn || !phrase) return 0;
  const syllable = Math.abs(Math.sin(seconds * 9.3 + side * 2)) * 0.7 + 0.3;
  return syllable * (0.35 + 0.5 * Math.abs(Math.sin(seconds * 0.71 + side * 3)));
}

export function wav(lengthS) {
  const frames = Math.floor(lengthS * RATE);
  const out = Buffer.alloc(44 + frames * 4);
  out.write('RIFF', 0); out.writeUInt32LE(36 + frames * 4, 4); out.write('WAVEfmt ', 8);
  out.writeUInt32LE(16, 16); out.writeUInt16LE(1, 20); out.writeUInt16LE(2, 22); out.writeUInt32LE(RATE, 24);
  out.writeUInt32LE(RATE * 4, 28); out.writeUInt16LE(4, 32); out.writeUInt16LE(16, 34); out.write('data', 36); out.writeUInt32LE(frames * 4, 40);
  for (let n = 0; n < frames; n += 1) {
    const s = n / RATE;
    out.writeInt16LE(Math.round(Math.sin(s * 900 + Math.sin(s * 30) * 3) * voiceAt(s, 0) * 9000), 44 + n * 4);
    out.writeInt16LE(Math.round(Math.sin(s * 1400 + Math.sin(s * 40) * 3) * voiceAt(s, 1) * 9000), 46 + n * 4);
  }
  return out;
}

export function waveform(lengthS) {
  const step = Math.max(50, Math.ceil((lengthS * 1000) / 2000));
  const points = Math.floor((lengthS * 1000) / step);
  const side = (which) => Array.from({ length: points }, (_, n) => Number(voiceAt((n * step) / 1000, which).toFixed(3)));
  return { step_ms: step, left: side(0), right: side(1) };
}
