import { availableParallelism } from "node:os";
import { open } from "node:fs/promises";
import { asBangerError } from "../../base/error.ts";
import { sideBySide } from "../../base/side-by-side.ts";
import { runInSlices } from "../../base/slices.ts";
import type { BuildInput, OwnershipFacts, RootfsBuild, RootfsBuilder } from "../builder.ts";
import { createSparse } from "../sparse-file.ts";
import { contentPool, writeContents, type ContentPool } from "./contents.ts";
import type { LayoutPlan } from "./plan.ts";
import { planLayout } from "./plan-layout.ts";
import { writeMetadata, type MetadataFacts } from "./write-metadata.ts";

const op = "build ext4";

/**
 * Threads: one more than inflate at a time, so that none of those is idle while one waits for the disk, and layers of
 * unequal size even out. Node inflates on libuv's thread pool, which has four threads; each of ours takes 30 MB.
 */
const defaultThreads = Math.min(availableParallelism(), 4) + 1;

/**
 * Builds by writing ext4's structures itself: contents straight from the layers to their final blocks, and the metadata
 * beside them. Needs no program and no temporary file.
 *
 * @param threads that write contents; the bytes of the image don't depend on it
 */
export function makeDirectBuilder(threads: number = defaultThreads): RootfsBuilder {
  return {
    name: "direct",
    check: async () => {},
    async build(input) {
      try {
        return await build(input, threads);
      } catch (error) {
        throw asBangerError(error, op);
      }
    },
  };
}

async function build(input: BuildInput, threads: number): Promise<RootfsBuild> {
  await using pool = contentPool(threads);
  // Threads get ready while this one plans.
  pool.warm(Math.min(threads, input.layers.length));
  const { tree, layers, signal, sizeBytes, uuid, hashSeed, target } = input;
  const planned = { tree, layerCount: layers.length, sizeBytes, uuid, hashSeed };
  const plan = await runInSlices(planLayout(planned), signal);
  await createSparse(target, plan.sizeBytes, op);
  const facts = await write(plan, input, pool);
  return new DirectBuild({ sizeBytes: plan.sizeBytes, contentBytes: plan.contentBytes }, facts);
}

/** Contents and metadata at once, as they meet in no block. */
async function write(plan: LayoutPlan, input: BuildInput, pool: ContentPool): Promise<MetadataFacts> {
  const { target, layers, limits, onProgress } = input;
  const total = plan.contentBytes;
  const onBytes = (done: number): void => onProgress({ done, total, unit: "bytes" });
  await using file = await open(target, "r+");
  const [facts] = await sideBySide(input.signal, (signal) => [
    writeMetadata(plan.metadata, file, signal),
    writeContents(plan.runsByLayer, { target, layers, limits, pool, signal, onBytes }),
  ]);
  return facts;
}

/** All is in its place once this exists: owners, modes, times, devices and xattrs are written with their inodes. */
class DirectBuild implements RootfsBuild {
  readonly built: RootfsBuild["built"];
  readonly #facts: MetadataFacts;

  constructor(built: RootfsBuild["built"], facts: MetadataFacts) {
    this.built = built;
    this.#facts = facts;
  }

  async applyOwnership(): Promise<OwnershipFacts> {
    const { inodes, devices, xattrs } = this.#facts;
    return { inodes, changes: inodes, devices, xattrs };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
