const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Milliseconds of a duration as Go's `time.ParseDuration` reads it (`1m30s`, `1.5h`), which is what containerd's files
 * have. Undefined for one that is none, or is not longer than nothing.
 */
export function parseGoDuration(text: string): number | undefined {
  const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;
  let ms = 0;
  const start = text.startsWith("+") ? 1 : 0;
  for (let at = start; at < text.length; at = part.lastIndex) {
    part.lastIndex = at;
    const [, number = "", unit = ""] = part.exec(text) ?? [];
    const one = unitMs[unit];
    if (one === undefined) return undefined;
    ms += Number(number) * one;
  }
  return ms > 0 ? ms : undefined;
}
