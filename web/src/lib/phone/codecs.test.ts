import { expect, it } from 'vitest';
import { houseCodecs } from './codecs';

const codec = (mimeType: string, clockRate: number) => ({ mimeType, clockRate });
const opus = codec('audio/opus', 48_000);
const mu = codec('audio/PCMU', 8_000);
const keys = codec('audio/telephone-event', 8_000);
const wideKeys = codec('audio/telephone-event', 48_000);

it('offers mu-law and keys of the same clock, nothing else', () => {
  expect(houseCodecs([opus, wideKeys, keys, codec('audio/CN', 8_000), mu])).toEqual([mu, keys]);
});

it('leaves a browser without mu-law alone', () => {
  expect(houseCodecs([opus, wideKeys])).toEqual([opus, wideKeys]);
});
