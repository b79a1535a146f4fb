const sizeUnits = { "": 1, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;
const durationUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** What a timer may take, in milliseconds: past 2^31 - 1, which is some hours more, Node fires it at once. */
export const maxTimerMs = 24 * durationUnits.d;

/** A hundred years, in milliseconds: as long as for ever, and a date that it is taken from stays one. */
export const maxDurationMs = 36_500 * durationUnits.d;

/** Bytes of `50GiB`, or of a whole number. Units of a thousand are no sizes: too many take them for 1,024. */
export function parseSize(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  const match = typeof value === "string" ? /^([0-9]{1,16}) ?(|B|[KMGT]iB)$/.exec(value) : null;
  const unit = Object.entries(sizeUnits).find(([name]) => name === match?.[2]);
  return unit === undefined ? undefined : Number(match?.[1]) * unit[1];
}

/** Milliseconds of `90s` or `30d`. A bare number says no unit, and is none. */
export function parseDuration(value: unknown): number | undefined {
  const match = typeof value === "string" ? /^([0-9]{1,16}) ?(ms|s|m|h|d)$/.exec(value) : null;
  const unit = Object.entries(durationUnits).find(([name]) => name === match?.[2]);
  return unit === undefined ? undefined : Number(match?.[1]) * unit[1];
}

/** As `parseSize` takes it, in the largest unit that it is a whole number of. */
export function showSize(bytes: number): string {
  return inUnits(bytes, sizeUnits, "B");
}

/** As `parseDuration` takes it. */
export function showDuration(ms: number): string {
  return inUnits(ms, durationUnits, "ms");
}

function inUnits(value: number, units: Readonly<Record<string, number>>, smallest: string): string {
  const whole = Object.entries(units).filter(
    ([name, unit]) => name !== "" && value > 0 && value % unit === 0,
  );
  const [name, unit] = whole.at(-1) ?? [smallest, 1];
  return `${value / unit}${name}`;
}
