/** The time zones to choose from. Browsers leave out UTC, which servers run on. */
export const ZONES: string[] = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')];

/** The same with the one in force, which the server may know by an older name. */
export const zonesWith = (present: string | null): string[] => (present && !ZONES.includes(present) ? [present, ...ZONES] : ZONES);
