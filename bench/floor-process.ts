import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { defaultLimits } from "../src/base/limits.ts";
import { runInSlices } from "../src/base/slices.ts";
import { WorkerPool, workerFile } from "../src/base/workers.ts";
import { flatten } from "../src/layers/flatten.ts";
import { everyInode } from "../src/layers/tree-walk.ts";
import { layersOf, scanLayers } from "./layout.ts";
import type { FloorJob } from "./floor-worker.ts";

/**
 * `floor-process.ts LAYOUT INDEXES WORK`: what no builder can do without. Prints, in seconds, how long all cores take
 * to inflate the layers that have live contents (`inflate`), to do that and write as many bytes as those contents have,
 * one after the other (`write`), and to inflate and hash every layer (`hash`).
 */
const [layout = "", indexFolder = "", work = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const limits = defaultLimits;
mkdirSync(work, { recursive: true });

const layers = await layersOf(layout);
const live = layers.map(() => ({ bytes: 0, until: 0 }));
{
  const { indexes } = await scanLayers(layers, indexFolder);
  const tree = await runInSlices(flatten(indexes, { limits }), signal);
  for (const { inode } of everyInode(tree.root)) {
    const counted = inode.kind === "file" ? live[inode.content.layer] : undefined;
    if (counted === undefined || inode.kind !== "file") continue;
    counted.bytes += inode.content.storedBytes;
    counted.until = Math.max(counted.until, inode.content.offset + inode.content.storedBytes);
  }
}

type Part = "inflate" | "write" | "hash";

async function floorOf(part: Part): Promise<number> {
  const path = join(work, "floor.img");
  rmSync(path, { force: true });
  const fd = openSync(path, "wx");
  ftruncateSync(
    fd,
    live.reduce((sum, { bytes }) => sum + bytes, 0),
  );
  closeSync(fd);
  await using pool = new WorkerPool<FloorJob, number>(workerFile(import.meta.dirname, "floor-worker"));
  let position = 0;
  const jobs = layers.flatMap((layer, at): FloorJob[] => {
    const { bytes, until } = live[at] ?? { bytes: 0, until: 0 };
    const write = part === "write" ? { path, position, bytes } : undefined;
    position += bytes;
    return part !== "hash" && bytes === 0 ? [] : [{ layer, hash: part === "hash", write, until }];
  });
  // The longest first, so that no core is left with it alone.
  jobs.sort((a, b) => b.until - a.until);
  const begin = performance.now();
  await Promise.all(jobs.map((job) => pool.run(job, { signal })));
  const seconds = (performance.now() - begin) / 1000;
  rmSync(path);
  return seconds;
}

// The first run warms the page cache, and is not counted.
await floorOf("inflate");
const seconds = {
  inflate: await floorOf("inflate"),
  write: await floorOf("write"),
  hash: await floorOf("hash"),
};
process.stdout.write(JSON.stringify(seconds));
