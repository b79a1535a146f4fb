import { readFileSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { defaultLimits } from "../../src/base/limits.ts";
import { runInSlices } from "../../src/base/slices.ts";
import type { RootfsBuilder } from "../../src/ext4/builder.ts";
import { makeDirectBuilder } from "../../src/ext4/direct/builder.ts";
import { e2fsprogsBuilder } from "../../src/ext4/e2fsprogs/builder.ts";
import { BangerError } from "../../src/base/error.ts";
import { flatten } from "../../src/layers/flatten.ts";
import type { LayerIndex } from "../../src/layers/layer-index.ts";
import type { RootTree } from "../../src/layers/root-tree.ts";
import { LayerScanner, makeScanPool } from "../../src/layers/scan.ts";
import { everyName } from "../../src/layers/tree-walk.ts";
import { differences } from "../system/host-tree.ts";
import { readMounted } from "../system/mounted.ts";
import { surroundings, type Grounds } from "./canary.ts";
import type { StoredCase } from "./hostile-case.ts";
import { bounds, judgeCase, judgePeak, judgeSurroundings, ruleOf, unencodable } from "./judge.ts";
import { construct, travel, type Road, type Travelled } from "./road.ts";

/** What the campaign found, as its process prints it. */
export interface CampaignReport {
  readonly cases: number;
  readonly accepted: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly imagesBuilt: number;
  /** Of those, how many the kernel has read. */
  readonly imagesMounted: number;
  readonly layersBuilt: number;
  readonly slowestMs: number;
  readonly slowestCase: string;
  readonly peakBytes: number;
  readonly seconds: number;
  readonly complaints: readonly string[];
}

/** Accepted single layers that go into one image. */
const layersPerImage = 10;

/** What is left of PATH_MAX below a mount point. */
const longestPath = 3900;

/** Bytes of an image's files, holes included, that are hashed through a mount. */
const mostMountedBytes = 64 * 1024 * 1024;

/** Time enough for one image on a machine that is busy. */
const buildTimeoutMs = 60_000;

interface Accepted {
  readonly about: StoredCase;
  readonly indexes: readonly LayerIndex[];
  readonly tree: RootTree;
}

/** Takes every case, in this very process, and leaves nothing behind but indexes. */
export async function runCampaign(grounds: Grounds, cases: readonly StoredCase[]): Promise<CampaignReport> {
  const start = performance.now();
  process.chdir(grounds.here);
  const before = surroundings(grounds);
  await using pool = makeScanPool(1);
  const scanner = new LayerScanner({
    pool,
    indexFolder: join(grounds.state, "indexes"),
    limits: defaultLimits,
  });
  const road: Road = { scanner, limits: defaultLimits, timeoutMs: bounds.millisecondsPerCase };
  const tally = new Tally();
  const builds = new Builds(grounds.temp, join(grounds.state, "rootfs.ext4"), tally);
  for (const hostile of cases) {
    const travelled = await travel(road, hostile);
    tally.count(hostile, travelled);
    await builds.take(hostile, travelled);
  }
  await builds.flush();
  tally.complain(...judgeSurroundings(before, surroundings(grounds)));
  const litter = [
    ...(await readdir(grounds.temp)),
    ...(await readdir(grounds.state)).filter((name) => name !== "indexes"),
  ];
  tally.complain(...litter.map((name) => `${name} was left behind`));
  const peakBytes = peakMemory();
  tally.complain(...judgePeak(peakBytes));
  return tally.report(builds, peakBytes, (performance.now() - start) / 1000);
}

class Tally {
  readonly #complaints: string[] = [];
  readonly #refused = new Map<string, number>();
  #cases = 0;
  #accepted = 0;
  #slowest = { milliseconds: 0, name: "" };

  complain(...complaints: readonly string[]): void {
    this.#complaints.push(...complaints);
  }

  count(hostile: StoredCase, { outcome, milliseconds }: Travelled): void {
    this.#cases++;
    // What only the builder can refuse is judged when it has.
    const { expect } = hostile;
    if (outcome.kind !== "accepted" || typeof expect === "string" || expect.rule !== unencodable)
      this.complain(...judgeCase(hostile, outcome));
    if (milliseconds > this.#slowest.milliseconds) this.#slowest = { milliseconds, name: hostile.name };
    if (outcome.kind === "accepted") this.#accepted++;
    if (outcome.kind === "refused") this.refuse(outcome.error);
  }

  refuse(error: BangerError): void {
    const rule = ruleOf(error);
    this.#refused.set(rule, (this.#refused.get(rule) ?? 0) + 1);
  }

  report(builds: Builds, peakBytes: number, seconds: number): CampaignReport {
    const byCount = [...this.#refused].sort(([, a], [, b]) => b - a);
    return {
      cases: this.#cases,
      accepted: this.#accepted,
      refused: Object.fromEntries(byCount),
      imagesBuilt: builds.images,
      imagesMounted: builds.mounted,
      layersBuilt: builds.layers,
      slowestMs: Math.round(this.#slowest.milliseconds),
      slowestCase: this.#slowest.name,
      peakBytes,
      seconds: Math.round(seconds),
      complaints: this.#complaints,
    };
  }
}

/** Builds what was accepted: cases of several layers and giants each by itself, the others several to an image. */
class Builds {
  images = 0;
  mounted = 0;
  layers = 0;
  readonly #tempDir: string;
  readonly #target: string;
  readonly #tally: Tally;
  #batch: Accepted[] = [];

  constructor(tempDir: string, target: string, tally: Tally) {
    this.#tempDir = tempDir;
    this.#target = target;
    this.#tally = tally;
  }

  async take(hostile: StoredCase, { tree, indexes }: Travelled): Promise<void> {
    if (tree === undefined || hostile.build === "no") return;
    const one: Accepted = { about: hostile, indexes, tree };
    if (hostile.build === "alone") return this.#build(one);
    this.#batch.push(one);
    if (this.#batch.length >= layersPerImage) await this.flush();
  }

  /** Stacks the layers of the batch; those that the merged tree refuses, as they must not meet, are built alone. */
  async flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    let stack: Accepted | undefined;
    for (const next of batch) {
      const merged = stack === undefined ? next : await stacked(stack, next);
      if (merged === undefined) await this.#build(next);
      else stack = merged;
    }
    if (stack !== undefined) await this.#build(stack);
  }

  /** By each builder; what both accept, the kernel must read the same of both. */
  async #build({ about, tree }: Accepted): Promise<void> {
    const images: string[] = [];
    for (const builder of builders) {
      const target = `${this.#target}.${builder.name}`;
      const how = {
        builder,
        limits: defaultLimits,
        tempDir: this.#tempDir,
        target,
        timeoutMs: buildTimeoutMs,
      };
      const outcome = await construct(tree, about.layers, how);
      if (outcome.kind === "accepted") images.push(target);
      this.#tally.complain(...judgeCase(expectedOf(about, builder), outcome));
      if (outcome.kind === "refused") this.#tally.refuse(outcome.error);
    }
    const [one, other] = images;
    if (one !== undefined && other !== undefined && kernelCanRead(tree)) {
      const lines = differences(readMounted(one), readMounted(other));
      this.#tally.complain(...lines.slice(0, 3).map((line) => `${about.name}: the kernel reads ${line}`));
      this.mounted++;
    }
    for (const { name } of builders) await rm(`${this.#target}.${name}`, { force: true });
    this.images++;
    this.layers += about.layers.length;
  }
}

const builders: readonly RootfsBuilder[] = [e2fsprogsBuilder, makeDirectBuilder()];

/** What debugfs can't be told, the direct builder writes. */
function expectedOf(about: StoredCase, builder: RootfsBuilder): StoredCase {
  const { expect } = about;
  const refused = typeof expect !== "string" && expect.rule === unencodable;
  return builder.name === "direct" && refused ? { ...about, expect: "accepted" } : about;
}

/** Where it may be mounted, by paths short enough for a call, and in a time that a test has. */
function kernelCanRead({ root }: RootTree): boolean {
  if (process.getuid?.() !== 0) return false;
  let bytes = 0;
  for (const { path, inode } of everyName(root)) {
    if (inode.kind === "file") bytes += inode.size;
    if (path.length > longestPath || bytes > mostMountedBytes) return false;
  }
  return true;
}

async function stacked(below: Accepted, above: Accepted): Promise<Accepted | undefined> {
  const indexes = [...below.indexes, ...above.indexes];
  try {
    const tree = await runInSlices(
      flatten(indexes, { limits: defaultLimits }),
      AbortSignal.timeout(bounds.millisecondsPerCase),
    );
    const name = `${below.about.name} + ${above.about.name}`;
    const layers = [...below.about.layers, ...above.about.layers];
    return { about: { name, layers, expect: "accepted", build: "together" }, indexes, tree };
  } catch (error) {
    if (error instanceof BangerError) return undefined;
    throw error;
  }
}

/** The most that this process has held at once: VmHWM of proc(5), which counts in KiB. */
export function peakMemory(): number {
  const kib = /^VmHWM:\s*(?<kib>[0-9]+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.groups?.[
    "kib"
  ];
  return Number(kib) * 1024;
}
