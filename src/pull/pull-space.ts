import { stat } from "node:fs/promises";
import type { ClaimOptions, DiskLedger, DiskState, SpaceClaim, SpaceClaimNeed } from "../base/disk-ledger.ts";
import { errnoOf } from "../base/error.ts";
import type { BuilderName } from "../ext4/builder.ts";
import { imagesDir, stagingPaths } from "../images/layout.ts";
import { allocatedBytes } from "../images/publish.ts";
import type { RootTree } from "../layers/root-tree.ts";
import type { Stage } from "./events.ts";
import type { StageContext } from "./stage-context.ts";

type Emit = StageContext["emit"];

export interface SpaceDeps {
  readonly ledger: DiskLedger;
  readonly stateDir: string;
  readonly cacheDir: string;
  readonly tempDir: string;
}

type SpacePull = Pick<StageContext, "signal" | "emit">;

export interface FetchNeed {
  readonly bytesToFetch: number;
  /** Compressed bytes of all layers. */
  readonly layerBytes: number;
}

export interface BuildNeed {
  readonly imageId: string;
  readonly tree: Pick<RootTree, "contentBytes" | "inodeCount">;
  readonly builder: BuilderName;
}

/** Layers inflate about threefold, and an image that is being built is on the disk about once more than they. */
export const inflateEstimate = 3;

/** An inode, its names, and its share of group descriptors and bitmaps, in bytes. */
const inodeBytes = 512;

/** Where the needs of a build stand in its claim. */
const tempNeed = 1;

/**
 * The room that one pull has on the disks, from before its first byte until it has ended. What is downloaded and built
 * is taken off as it gets written: it listens to the pull's own progress for that.
 */
export class PullSpace implements Disposable {
  readonly #deps: SpaceDeps;
  readonly #pull: SpacePull;
  readonly #claim: SpaceClaim;
  readonly #fetched = new Map<number, number>();
  #stage: "fetch" | "build" = "fetch";

  private constructor(deps: SpaceDeps, pull: SpacePull, claim: SpaceClaim) {
    this.#deps = deps;
    this.#pull = pull;
    this.#claim = claim;
  }

  /**
   * Room for what is fetched, and by a guess for what will be built of it: so that no two pulls download what only one
   * of them has room to build.
   *
   * @throws BangerError DISK_FULL where what is fetched would not fit alone, or the signal's reason.
   */
  static async reserve(deps: SpaceDeps, pull: SpacePull, need: FetchNeed): Promise<PullSpace> {
    const built = need.layerBytes * inflateEstimate;
    const needs: readonly SpaceClaimNeed[] = [
      { path: deps.cacheDir, bytes: need.bytesToFetch, option: "--cache-dir" },
      { path: imagesDir(deps.stateDir), bytes: built, estimated: true, option: "--state-dir" },
    ];
    const claim = await deps.ledger.claim(needs, waiting(pull, "resolve", "fetch layers"));
    return new PullSpace(deps, pull, claim);
  }

  /** Says it to the pull's watchers, and takes what it tells of off what is promised. */
  readonly emit: Emit = (stage, body) => {
    this.#pull.emit(stage, body);
    if (this.#stage === "build") {
      if (body.kind === "stageProgress" && stage === "build" && body.unit === "bytes") {
        this.#claim.wrote(tempNeed, body.done);
      }
    } else if (body.kind === "layerProgress" && body.phase === "fetching") {
      this.#fetched.set(body.index, body.doneBytes);
      this.#claim.wrote(0, sum(this.#fetched.values()));
    }
  };

  /**
   * Room for what is built, now that its size is known to the byte.
   *
   * @throws BangerError DISK_FULL where it would not fit alone, or the signal's reason.
   */
  async forBuild({ imageId, tree, builder }: BuildNeed): Promise<void> {
    const { stateDir, tempDir } = this.#deps;
    const { rootfs } = stagingPaths(stateDir, imageId);
    const staged = builder === "e2fsprogs" ? tree.contentBytes : 0;
    const needs: readonly SpaceClaimNeed[] = [
      {
        path: imagesDir(stateDir),
        bytes: tree.contentBytes + tree.inodeCount * inodeBytes,
        measure: () => sizeOnDisk(rootfs),
        option: "--state-dir",
      },
      // Only this builder stages the contents a second time.
      { path: tempDir, bytes: staged, transient: true, option: "TMPDIR" },
    ];
    this.#stage = "build";
    await this.#claim.replace(needs, waiting(this.#pull, "build", "build image"));
  }

  [Symbol.dispose](): void {
    this.#claim[Symbol.dispose]();
  }
}

function waiting({ signal, emit }: SpacePull, stage: Stage, op: string): ClaimOptions {
  const onWait = (position: number, lacking: DiskState): void =>
    emit(stage, { kind: "waiting", position, why: whyWaiting(lacking) });
  return { op, signal, onWait };
}

/** For people: what is needed, and why it isn't there although the disk seems to have it. */
function whyWaiting({ path, neededBytes, freeBytes, promisedBytes }: DiskState): string {
  const mebi = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  return `${mebi(promisedBytes)} of the ${mebi(freeBytes)} free in ${path} are promised to other images, and ${mebi(neededBytes)} are needed`;
}

async function sizeOnDisk(path: string): Promise<number> {
  try {
    return allocatedBytes(await stat(path));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return 0;
    throw error;
  }
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
