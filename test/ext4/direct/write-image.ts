import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { runThrough } from "../../../src/base/slices.ts";
import { runAt, runCount } from "../../../src/ext4/direct/content-runs.ts";
import type { LayoutPlan } from "../../../src/ext4/direct/plan.ts";
import { BlockQueue } from "../../../src/ext4/direct/block-queue.ts";
import { planLayout } from "../../../src/ext4/direct/plan-layout.ts";
import { encodeMetadata, type MetadataFacts } from "../../../src/ext4/direct/write-metadata.ts";
import type { BuiltTree } from "../tree-builder.ts";

export const uuid = "01234567-89ab-cdef-0123-456789abcdef";
export const hashSeed = "fedcba98-7654-3210-fedc-ba9876543210";

export interface WriteOptions {
  readonly sizeBytes?: number;
}

export interface Written {
  readonly plan: LayoutPlan;
  readonly facts: MetadataFacts;
}

const layers = 3;

/** Says where in three layers the contents are: one file after the other, none of the files' bytes shared. */
function layContents({ stored }: BuiltTree): readonly Buffer[] {
  const streams = Array.from({ length: layers }, (): { parts: Buffer[]; length: number } => ({
    parts: [],
    length: 0,
  }));
  let next = 0;
  for (const [inode, bytes] of [...stored].toReversed()) {
    const layer = next++ % layers;
    const stream = streams[layer];
    if (stream === undefined) continue;
    Object.assign(inode.content, { layer, offset: stream.length });
    stream.parts.push(bytes);
    stream.length += bytes.length;
  }
  return streams.map(({ parts }) => Buffer.concat(parts));
}

/** Plans and writes a file system with contents and all, without workers. */
export function writeImage(built: BuiltTree, path: string, options: WriteOptions = {}): Written {
  const streams = layContents(built);
  const { sizeBytes } = options;
  const input = { tree: built.tree, layerCount: layers, sizeBytes, uuid, hashSeed };
  const plan = runThrough(planLayout(input));
  const fd = openSync(path, "wx");
  try {
    ftruncateSync(fd, plan.sizeBytes);
    for (const [layer, runs] of plan.runsByLayer.entries()) {
      const stream = streams[layer] ?? Buffer.alloc(0);
      for (let i = 0; i < runCount(runs); i++) {
        const { source, target, bytes } = runAt(runs, i);
        if (source + bytes > stream.length) throw new RangeError("a run lies outside of its layer");
        writeSync(fd, stream, source, bytes, target);
      }
    }
    const facts = writeMetadataSync(plan, fd);
    return { plan, facts };
  } finally {
    closeSync(fd);
  }
}

function writeMetadataSync({ metadata }: LayoutPlan, fd: number): MetadataFacts {
  const queue = new BlockQueue();
  const work = encodeMetadata(metadata, queue);
  for (;;) {
    const step = work.next();
    for (const { bytes, position } of queue.takeReady()) writeSync(fd, bytes, 0, bytes.length, position);
    if (step.done === true) return step.value;
  }
}
