import { readFileSync, writeFileSync } from "node:fs";
import { median } from "./median.ts";
import type { Run } from "./tool.ts";

/** What a bench leaves behind, for the report: runs by image and tool. */
export interface Results {
  /** What was measured on, in words. */
  readonly machine: string;
  readonly rounds: number;
  readonly images: Readonly<Record<string, ImageResults>>;
}

export interface ImageResults {
  readonly what: string;
  readonly tools: Readonly<Record<string, ToolResults>>;
  /** Tools that could not run, and why. */
  readonly missing: Readonly<Record<string, string>>;
}

export interface ToolResults {
  readonly what: string;
  readonly runs: readonly Run[];
}

export function saveResults(path: string, results: Results): void {
  writeFileSync(path, `${JSON.stringify(results, undefined, 2)}\n`);
}

/** Our own file, which nobody else writes. */
export function loadResults(path: string): Results {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what `saveResults` wrote
  return JSON.parse(readFileSync(path, "utf8")) as Results;
}

/** Median seconds of a tool, or of one part of it. */
export function secondsOf(image: ImageResults, tool: string, part?: string): number | undefined {
  const runs = image.tools[tool]?.runs;
  if (runs === undefined || runs.length === 0) return undefined;
  return median(runs.map((run) => (part === undefined ? run.seconds : (run.parts[part] ?? Number.NaN))));
}

/** A figure that was asked for: what of what, at most how much, for which image. */
export interface Ratio {
  readonly image: string;
  readonly what: string;
  readonly most: number;
  readonly of: (image: ImageResults) => number | undefined;
}

function ratio(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one / other;
}

function toFloor(image: string, most: number): Ratio {
  const of: Ratio["of"] = (results) =>
    ratio(secondsOf(results, "direct"), secondsOf(results, "floor", "write"));
  return { image, what: "direct, indexes cached, to inflating and writing alone", most, of };
}

function memory(image: string, most: number): Ratio {
  const of: Ratio["of"] = (results) => {
    const runs = results.tools["direct"]?.runs;
    return runs === undefined ? undefined : median(runs.map(({ peakBytes }) => peakBytes / 1e6));
  };
  return { image, what: "direct, MB of memory at its peak", most, of };
}

export const ratios: readonly Ratio[] = [
  toFloor("big", 1.1),
  toFloor("small-files", 1.5),
  {
    image: "big",
    what: "scan and direct, nothing cached, to inflating and hashing twice",
    most: 1.3,
    of: (image) => {
      const once = secondsOf(image, "floor", "hash");
      return ratio(secondsOf(image, "direct-cold"), once === undefined ? undefined : 2 * once);
    },
  },
  {
    image: "big",
    what: "fetch and scan at once, from a registry, to the longer of the two alone",
    most: 1.15,
    of: (image) => {
      const [fetch, scan] = ["fetch", "scan"].map((part) => secondsOf(image, "registry", part));
      if (fetch === undefined || scan === undefined) return undefined;
      return ratio(secondsOf(image, "registry"), Math.max(fetch, scan));
    },
  },
  {
    image: "big",
    what: "direct to umoci, mkfs and debugfs",
    most: 0.2,
    of: (image) => {
      const parts = ["unpack", "mkfs", "debugfs"].map((part) => secondsOf(image, "by-hand", part));
      const sum = parts.reduce<number>((total, part) => total + (part ?? Number.NaN), 0);
      return ratio(secondsOf(image, "direct"), Number.isNaN(sum) ? undefined : sum);
    },
  },
  {
    image: "big",
    what: "direct to mke2fs -d of a tarball, merging the layers into it included",
    most: 0.4,
    of: (image) => ratio(secondsOf(image, "direct"), secondsOf(image, "mke2fs-tar")),
  },
  {
    image: "big",
    what: "direct to mke2fs -d of a tarball that is merged and inflated already",
    most: 0.4,
    of: (image) => ratio(secondsOf(image, "direct"), secondsOf(image, "mke2fs-tar", "mke2fs-tar")),
  },
  {
    image: "big",
    what: "direct to mke2fs -d of a gzip'd tarball that is merged already",
    most: 0.4,
    of: (image) => ratio(secondsOf(image, "direct"), secondsOf(image, "mke2fs-tgz", "mke2fs-tgz")),
  },
  memory("big", 300),
  memory("small-files", 300),
  memory("million", 2000),
  {
    image: "big",
    what: "e2fsprogs to umoci, mkfs and debugfs",
    most: 1,
    of: (image) => ratio(secondsOf(image, "e2fsprogs"), secondsOf(image, "by-hand")),
  },
];
