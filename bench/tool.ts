import { spawnSync } from "node:child_process";

/** What one run of a tool took. */
export interface Run {
  readonly seconds: number;
  /** Of the whole program, its start and what it needs before the parts included. */
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  readonly writtenBytes: number;
  /** Seconds by part, in the order of their coming. */
  readonly parts: Readonly<Record<string, number>>;
}

export interface BenchPlace {
  /** The image, an OCI layout with the tag `latest`. */
  readonly layout: string;
  /** A folder of this run's own, empty; removed after it. */
  readonly work: string;
  /** Kept from run to run of one image: indexes of its layers. */
  readonly kept: string;
}

/** One way from layers to a file system. */
export interface Tool {
  readonly name: string;
  readonly what: string;
  /** Takes so long that it runs in the first round alone. */
  readonly slow?: boolean;
  /** The one image that it is for; all where undefined. */
  readonly image?: string;
  /** Why it can't run here; undefined where it can. */
  readonly missing: () => string | undefined;
  readonly run: (place: BenchPlace) => Promise<Run>;
}

/** What is not on the PATH, in words; undefined where all is there. */
export function notOnPath(...programs: readonly string[]): string | undefined {
  const missing = programs.filter(
    (program) => spawnSync("sh", ["-c", 'command -v "$1"', "sh", program]).status !== 0,
  );
  return missing.length === 0 ? undefined : `${missing.join(", ")} not on the PATH`;
}

/** Runs that follow each other, as one. */
export function together(steps: readonly (readonly [part: string, run: Omit<Run, "parts">])[]): Run {
  return {
    seconds: steps.reduce((sum, [, { seconds }]) => sum + seconds, 0),
    cpuSeconds: steps.reduce((sum, [, { cpuSeconds }]) => sum + cpuSeconds, 0),
    peakBytes: Math.max(...steps.map(([, { peakBytes }]) => peakBytes)),
    writtenBytes: steps.reduce((sum, [, { writtenBytes }]) => sum + writtenBytes, 0),
    parts: Object.fromEntries(steps.map(([part, { seconds }]) => [part, seconds])),
  };
}
