import { describe, expect, it } from 'vitest';
import type { CallDetail } from '$lib/api';
import { clipAt, clipsOf, extentOf, peaks, spansOf, stepsOf, ticksOf } from './ladder';
import { stepWords } from './words';

const START = Date.parse('2026-11-17T08:42:00Z');
const at = (s: number) => new Date(START + s * 1000).toISOString();

function call(end: number | null): CallDetail {
  return {
    ladder: {
      start_at: at(0), end_at: end === null ? null : at(end),
      lanes: [
        { lane: 'queue', label: 'Repairs', segments: [{ kind: 'waiting', label: '', start_at: at(40), end_at: at(100) }] },
        { lane: 'agent', label: 'Rasa', segments: [{ kind: 'talking', label: '', start_at: at(100), end_at: end === null ? null : at(end) }] }
      ],
      marks: [{ at: at(28), kind: 'chosen', label: '3' }, { at: at(16), kind: 'chosen', label: '3' }, { at: at(30), kind: 'chosen', label: '9' }, { at: at(35), kind: 'collected', label: 'pin' }]
    },
    facts: [
      { kind: 'chosen', key: 'menu', label: 'Repairs', value: '3', secret: null }, { kind: 'chosen', key: 'repairs', label: 'Where is it?', value: '3', secret: null },
      { kind: 'typed', key: 'pin', label: 'PIN', value: '••••', secret: 'an id' }
    ],
    recordings: [{ n: 2, start_at: at(120), length_s: 30, complete: true }, { n: 1, start_at: at(10), length_s: 60, complete: true }]
  } as unknown as CallDetail;
}

describe('the ladder', () => {
  it('covers the call, and for a live one reaches until now', () => {
    expect(extentOf(call(300), 0).length).toBe(300);
    expect(extentOf(call(null), START + 250_000).length).toBe(250);
  });

  it('places segments in seconds; an open one ends at the edge', () => {
    const open = call(null);
    const extent = extentOf(open, START + 250_000);
    expect(spansOf(open.ladder.lanes[1]!, extent)[0]).toMatchObject({ from: 100, until: 250, open: true });
  });

  it('marks round times, never too many', () => {
    const extent = { start: START, length: 762 };
    expect(ticksOf(extent, 13)).toEqual([0, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 660, 720]);
    expect(ticksOf(extent, 4).length).toBeLessThanOrEqual(4);
  });

  it('tells what happened in order', () => {
    const ended = call(300);
    expect(stepsOf(ended, extentOf(ended, 0)).map((step) => step.kind)).toEqual(['chosen', 'chosen', 'chosen', 'collected', 'waiting', 'talking']);
  });

  it('says what a key meant, in the order in which keys came', () => {
    const ended = call(300);
    const steps = stepsOf(ended, extentOf(ended, 0));
    expect(steps.map((step) => step.fact?.label)).toEqual(['Repairs', 'Where is it?', undefined, 'PIN', undefined, undefined]);
    expect(steps.map(stepWords).slice(0, 4)).toEqual(['Pressed 3: Repairs', 'Pressed 3: Where is it?', 'Pressed 9', 'Typed PIN: 4 digits, hidden']);
  });
});

describe('what is heard', () => {
  const clips = clipsOf(call(300).recordings, { start: START, length: 300 });

  it('is the recording at that time, else the next, else the last', () => {
    expect(clips.map((clip) => clip.n)).toEqual([1, 2]);
    expect(clipAt(clips, 30)?.n).toBe(1);
    expect(clipAt(clips, 90)?.n).toBe(2);
    expect(clipAt(clips, 290)?.n).toBe(2);
    expect(clipAt([], 5)).toBeNull();
  });

  it('draws peaks, so that no loud moment is lost', () => {
    expect(peaks([0, 1, 0, 0.5], 2)).toEqual([1, 0.5]);
    expect(peaks([0.3], 10)).toEqual([0.3]);
  });
});
