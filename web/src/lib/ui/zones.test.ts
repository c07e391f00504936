import { expect, it } from 'vitest';
import { ZONES, zonesWith } from './zones';

it('offers UTC, once and first', () => {
  expect(ZONES[0]).toBe('UTC');
  expect(ZONES.filter((zone) => zone === 'UTC')).toHaveLength(1);
  expect(ZONES).toContain('Europe/Athens');
});

it('offers the zone in force under whatever name', () => {
  expect(zonesWith('Europe/Athens')).toBe(ZONES);
  expect(zonesWith(null)).toBe(ZONES);
  expect(zonesWith('US/Pacific-New')).toEqual(['US/Pacific-New', ...ZONES]);
});
