// Sound in files of 16 bit PCM: written and taken apart.

/** Samples per second on the telephone. */
export const RATE = 8_000;

/** 16 bit PCM, one channel. */
export function wav(samples, rate = RATE) {
  const bytes = Buffer.alloc(44 + samples.length * 2);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(36 + samples.length * 2, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(rate * 2, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(samples.length * 2, 40);
  samples.forEach((sample, n) => bytes.writeInt16LE(Math.max(-32_768, Math.min(32_767, Math.round(sample))), 44 + n * 2));
  return bytes;
}

/** The channels of a 16 bit PCM WAV file, each an `Int16Array`. */
export function channels(bytes) {
  if (bytes.toString('latin1', 0, 4) !== 'RIFF') throw new Error('no WAV file');
  let at = 12;
  let count = 1;
  let rate = RATE;
  while (at + 8 <= bytes.length) {
    const name = bytes.toString('latin1', at, at + 4);
    const length = bytes.readUInt32LE(at + 4);
    if (name === 'fmt ') {
      count = bytes.readUInt16LE(at + 10);
      rate = bytes.readUInt32LE(at + 12);
    }
    if (name === 'data') {
      const frames = Math.floor(Math.min(length, bytes.length - at - 8) / 2 / count);
      const all = Array.from({ length: count }, () => new Int16Array(frames));
      for (let n = 0; n < frames * count; n++) all[n % count][Math.floor(n / count)] = bytes.readInt16LE(at + 8 + n * 2);
      return { rate, channels: all };
    }
    at += 8 + length + (length % 2);
  }
  throw new Error('a WAV file without data');
}
