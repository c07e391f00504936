// Chirp sequences: made, packed as WAV or mu-law, and found again in what was heard.
// A sequence is four sweeps of 250 ms with 50 ms between them; the two sides share no sweep.

export const RATE = 8000;
const CHIRP_S = 0.25;
const GAP_S = 0.05;

// Start and end in hertz. Inside the telephone band, each a shape of its own.
export const PAGE = [[500, 1400], [2900, 2000], [1300, 2600], [1900, 700]];
export const HOUSE = [[2700, 900], [600, 2200], [2300, 3100], [1000, 450]];

function chirp([from, to], rate) {
  const samples = new Float32Array(Math.round(CHIRP_S * rate));
  for (let n = 0; n < samples.length; n++) {
    const t = n / rate;
    const phase = 2 * Math.PI * (from * t + ((to - from) * t * t) / (2 * CHIRP_S));
    const edge = Math.min(1, n / (0.01 * rate), (samples.length - n) / (0.01 * rate));
    samples[n] = 0.4 * edge * Math.sin(phase);
  }
  return samples;
}

/** The whole sequence once, with its gaps. */
export function sequence(chirps, rate) {
  const step = Math.round((CHIRP_S + GAP_S) * rate);
  const samples = new Float32Array(step * chirps.length);
  chirps.forEach((sweep, n) => samples.set(chirp(sweep, rate), n * step));
  return samples;
}

/** Seconds of one pass of a sequence. */
export const sequenceSeconds = (chirps) => chirps.length * (CHIRP_S + GAP_S);

export function wav(samples, rate) {
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
  samples.forEach((s, n) => bytes.writeInt16LE(Math.round(s * 32767), 44 + n * 2));
  return bytes;
}

/** One mu-law byte as a sample in -1..1 (ITU-T G.711). */
function decode(byte) {
  const value = ~byte & 0xff;
  const magnitude = ((((value & 0x0f) << 3) + 0x84) << ((value & 0x70) >> 4)) - 0x84;
  return ((value & 0x80 ? -1 : 1) * magnitude) / 32768;
}

const DECODED = Float32Array.from({ length: 256 }, (_, byte) => decode(byte));

export const fromMuLaw = (bytes) => Float32Array.from(bytes, (byte) => DECODED[byte]);

/** Mu-law by the nearest of the 256 values: slow, plain, and independent of the product's. */
export function toMuLaw(samples) {
  const order = [...DECODED.keys()].sort((a, b) => DECODED[a] - DECODED[b]);
  return Buffer.from(
    Array.from(samples, (sample) => {
      let low = 0;
      let high = order.length - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (DECODED[order[middle]] < sample) low = middle + 1;
        else high = middle;
      }
      const below = order[Math.max(0, low - 1)];
      return sample - DECODED[below] < DECODED[order[low]] - sample ? below : order[low];
    })
  );
}

/** Where `template` fits best into `heard` at 8 kHz: likeness 0..1 (normalised), and when. */
function bestFit(heard, template) {
  let energy = 0;
  let templateEnergy = 0;
  for (let n = 0; n < template.length; n++) {
    energy += heard[n] ** 2;
    templateEnergy += template[n] ** 2;
  }
  let best = { likeness: 0, at: 0 };
  for (let start = 0; start + template.length < heard.length; start++) {
    let product = 0;
    for (let n = 0; n < template.length; n++) product += heard[start + n] * template[n];
    const likeness = Math.abs(product) / Math.sqrt(Math.max(energy, 1e-3) * templateEnergy);
    if (likeness > best.likeness) best = { likeness, at: start / RATE };
    energy += heard[start + template.length] ** 2 - heard[start] ** 2;
  }
  return best;
}

/**
 * How much of a sequence is in what was heard: the likeness of its least likely chirp, that of its
 * most likely one, and by how much the chirps stand out of step, in seconds.
 */
export function find(heard, chirps) {
  const fits = chirps.map((sweep) => bestFit(heard, chirp(sweep, RATE)));
  const cycle = sequenceSeconds(chirps);
  const starts = fits.map((fit, n) => fit.at - n * (CHIRP_S + GAP_S));
  const offStep = starts.map((start) => {
    const away = (((start - starts[0]) % cycle) + cycle) % cycle;
    return Math.min(away, cycle - away);
  });
  const likenesses = fits.map((fit) => fit.likeness);
  return {
    least: Math.min(...likenesses),
    most: Math.max(...likenesses),
    outOfStep: Math.max(...offStep),
    at: ((starts[0] % cycle) + cycle) % cycle
  };
}
