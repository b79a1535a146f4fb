import { get } from "node:http";

/** How long a daemon says that it took over calls, those of one method since it started. */
export interface CallDurations {
  /** How many took at most so many milliseconds: by the ends of buckets, growing, the last one Infinity. */
  readonly within: readonly (readonly [ms: number, calls: number])[];
  readonly totalMs: number;
}

/** Asks a daemon that serves its figures on that socket. Calls that failed count too. */
export async function callDurations(socketPath: string, method: string): Promise<CallDurations> {
  const within = new Map<number, number>();
  let totalMs = 0;
  for (const line of (await metricsPage(socketPath)).split("\n")) {
    if (!line.startsWith("banger_call_duration_seconds_") || !line.includes(`method="${method}"`)) continue;
    const value = Number(line.slice(line.lastIndexOf(" ") + 1));
    const bound = /le="([^"]+)"/.exec(line)?.[1];
    if (bound !== undefined) {
      const ms = bound === "+Inf" ? Infinity : Number(bound) * 1000;
      within.set(ms, (within.get(ms) ?? 0) + value);
    } else if (line.includes("_sum{")) totalMs += value * 1000;
  }
  return { within: [...within], totalMs };
}

/** Those that came between two looks. Pure. */
export function durationsSince(before: CallDurations, after: CallDurations): CallDurations {
  const was = new Map(before.within);
  return {
    within: after.within.map(([ms, calls]) => [ms, calls - (was.get(ms) ?? 0)]),
    totalMs: after.totalMs - before.totalMs,
  };
}

/** As far as buckets tell: how many were done in 10 ms, and the ends that no more than a hundredth and none are above. Pure. */
export function durationText({ within, totalMs }: CallDurations): string {
  const calls = within.at(-1)?.[1] ?? 0;
  const end = (part: number): string =>
    String(within.find(([, count]) => count >= calls * part)?.[0] ?? Infinity).padStart(3);
  const mean = (totalMs / calls).toFixed(2).padStart(5);
  const quick = within.findLast(([ms]) => ms <= 10)?.[1] ?? 0;
  const share = ((100 * quick) / calls).toFixed(2).padStart(6);
  return `mean ${mean} ms   p99 ≤ ${end(0.99)} ms   in 10 ms ${share} %   most ≤ ${end(1)} ms`;
}

async function metricsPage(socketPath: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  get({ socketPath, path: "/metrics" }, (response) => {
    let page = "";
    response
      .setEncoding("utf8")
      .on("data", (piece: string) => (page += piece))
      .on("end", () => resolve(page))
      .on("error", reject);
  }).on("error", reject);
  return promise;
}
