import { describe, expect, it } from 'vitest';
import { locate, parseJson } from './pointer';

const TEXT = `{
  "schema": 1,
  "nodes": {
    "a/b": { "type": "play", "prompts": ["x", "y"] },
    "menu": {
      "next": "gone"
    }
  }
}`;

describe('a JSON pointer', () => {
  it('finds its value and line', () => {
    const place = locate(TEXT, '/nodes/menu/next');
    expect(place.line).toBe(6);
    expect(TEXT.slice(place.start, place.end)).toBe('"gone"');
  });

  it('reads escaped names and list members', () => {
    const place = locate(TEXT, '/nodes/a~1b/prompts/1');
    expect(TEXT.slice(place.start, place.end)).toBe('"y"');
  });

  it('falls back to the nearest parent of what is missing', () => {
    expect(locate(TEXT, '/nodes/menu/otherwise').line).toBe(5);
    expect(locate(TEXT, '/nothing').line).toBe(1);
  });
});

it('says the line of broken JSON', () => {
  const parsed = parseJson('{\n  "a": 1,\n  oops\n}');
  expect(parsed).toMatchObject({ ok: false, line: 3 });
});
