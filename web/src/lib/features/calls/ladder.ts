/** The ladder of a call as geometry and words: pure, in seconds from the start of the call. */
import type { CallDetail, Fact, Lane, Recording, Segment, SegmentKind } from '$lib/api';

export interface Extent {
  /** Milliseconds since 1970 at which the axis begins. */
  start: number;
  /** Length of the axis in seconds, never 0. */
  length: number;
}

export interface Span {
  kind: SegmentKind;
  label: string;
  detail: string | null;
  /** Seconds from the start of the axis. */
  from: number;
  until: number;
  open: boolean;
}

/** The time a call covers; a live one ends now. */
export function extentOf(call: CallDetail, now: number): Extent {
  const start = Date.parse(call.ladder.start_at);
  const ends = call.ladder.lanes.flatMap((lane) => lane.segments.map((segment) => (segment.end_at ? Date.parse(segment.end_at) : 0)));
  const end = call.ladder.end_at ? Math.max(Date.parse(call.ladder.end_at), ...ends) : Math.max(now, ...ends);
  return { start, length: Math.max(1, (end - start) / 1000) };
}

export function secondsAt(extent: Extent, at: string): number {
  return (Date.parse(at) - extent.start) / 1000;
}

export function spansOf(lane: Lane, extent: Extent): Span[] {
  return lane.segments.map((segment: Segment) => ({
    kind: segment.kind,
    label: segment.label,
    detail: segment.detail ?? null,
    from: Math.max(0, secondsAt(extent, segment.start_at)),
    until: segment.end_at ? secondsAt(extent, segment.end_at) : extent.length,
    open: !segment.end_at
  }));
}

const STEPS_S = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];

/** Seconds at which the ruler is marked: round, and at most `most` of them. */
export function ticksOf(extent: Extent, most: number): number[] {
  const step = STEPS_S.find((one) => extent.length / one <= most) ?? 14_400;
  const ticks: number[] = [];
  for (let at = 0; at < extent.length; at += step) ticks.push(at);
  return ticks;
}

export interface Clip {
  n: number;
  from: number;
  until: number;
}

/** Where on the axis something was recorded. */
export function clipsOf(recordings: Recording[], extent: Extent): Clip[] {
  return recordings
    .map((one) => ({ n: one.n, from: secondsAt(extent, one.start_at), until: secondsAt(extent, one.start_at) + one.length_s }))
    .sort((a, b) => a.from - b.from);
}

/** The clip to hear at a time: the one that covers it, else the next, else the last. */
export function clipAt(clips: Clip[], at: number): Clip | null {
  return clips.find((clip) => at < clip.until) ?? clips.at(-1) ?? null;
}

/** At most `points` peaks of a side, so that a long call draws as fast as a short one. */
export function peaks(side: number[], points: number): number[] {
  if (side.length <= points) return side;
  const width = side.length / points;
  return Array.from({ length: points }, (_, at) => {
    let most = 0;
    for (let n = Math.floor(at * width); n < Math.floor((at + 1) * width); n += 1) most = Math.max(most, side[n] ?? 0);
    return most;
  });
}

export interface Step {
  at: number;
  lane: Lane['lane'] | 'mark';
  who: string;
  kind: string;
  label: string;
  detail: string | null;
  length: number | null;
  /** What the caller chose or typed at this point. */
  fact?: Fact;
}

type Mark = CallDetail['ladder']['marks'][number];

/** The fact behind each mark of a key or of digits: both are kept in the order in which they came. */
function factsOf(marks: Mark[], facts: Fact[]): Map<Mark, Fact> {
  const left = [...facts];
  const found = new Map<Mark, Fact>();
  for (const mark of [...marks].sort((a, b) => Date.parse(a.at) - Date.parse(b.at))) {
    const at = left.findIndex((fact) => (mark.kind === 'chosen' ? fact.kind === 'chosen' && fact.value === mark.label : mark.kind === 'collected' && fact.kind === 'typed' && fact.key === mark.label));
    const fact = left[at];
    if (!fact) continue;
    found.set(mark, fact);
    left.splice(at, 1);
  }
  return found;
}

/** What happened, in order. */
export function stepsOf(call: CallDetail, extent: Extent): Step[] {
  const steps: Step[] = call.ladder.lanes.flatMap((lane) =>
    spansOf(lane, extent)
      .filter((span) => !(lane.lane === 'customer' && span.kind === 'ring'))
      .map((span) => ({ at: span.from, lane: lane.lane, who: lane.label, kind: span.kind, label: span.label, detail: span.detail, length: span.open ? null : span.until - span.from }))
  );
  const facts = factsOf(call.ladder.marks, call.facts);
  const marks = call.ladder.marks.map((mark): Step => {
    const fact = facts.get(mark);
    return { at: secondsAt(extent, mark.at), lane: 'mark', who: '', kind: mark.kind, label: mark.label, detail: null, length: null, ...(fact ? { fact } : {}) };
  });
  // A key comes before the wait that it led to, though both are of the same instant.
  return [...marks, ...steps].sort((a, b) => a.at - b.at);
}
