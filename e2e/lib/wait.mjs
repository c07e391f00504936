// Waiting for a condition with a deadline: the only way time passes in these tests.

const POLL_MS = 25;
/** The last look may take so long; one that hangs is no reason to wait for ever. */
const LOOK_MS_MAX = 2_000;

/** Awaits until `look` gives something truthy and gives it back. What it last saw goes into the error. */
export async function until(what, look, deadlineMs = 20_000) {
  const end = Date.now() + deadlineMs;
  let last;
  for (;;) {
    try {
      last = await within('a look', Promise.resolve(look()), Math.max(LOOK_MS_MAX, end - Date.now()));
      if (last) return last;
    } catch (error) {
      if (error.fatal) throw error;
      last = error;
    }
    if (Date.now() >= end) {
      const seen = last instanceof Error ? last.message : JSON.stringify(last);
      throw new Error(`${what}: not within ${deadlineMs} ms; last seen: ${String(seen).slice(0, 800)}`);
    }
    await pause(POLL_MS);
  }
}

/** A stretch of time that is itself what is measured: how long somebody listens or talks. */
export const pause = (ms) => new Promise((wake) => setTimeout(wake, ms));

/** Fails when a promise takes longer. */
export async function within(what, promise, deadlineMs) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The value below which `percent` of the values lie. */
export function percentile(values, percent) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * percent) / 100) - 1)];
}
