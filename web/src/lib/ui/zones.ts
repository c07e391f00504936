/** The time zones to choose from. Browsers leave out UTC, which servers run on. */
export const zones = (): string[] => ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')];
