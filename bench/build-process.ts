import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { keepYoungHeapSmall } from "../src/base/heap.ts";
import { defaultLimits } from "../src/base/limits.ts";
import { runInSlices } from "../src/base/slices.ts";
import type { RootfsBuilder } from "../src/ext4/builder.ts";
import { makeDirectBuilder } from "../src/ext4/direct/builder.ts";
import { e2fsprogsBuilder } from "../src/ext4/e2fsprogs/builder.ts";
import { flatten } from "../src/layers/flatten.ts";
import { layersOf, scanLayers } from "./layout.ts";

/**
 * `build-process.ts LAYOUT BUILDER INDEXES WORK`: scan, flatten, build and own, as a pull does, with nothing around it.
 * Indexes are taken from the folder of that name, and left there. Prints what each took, in seconds.
 */
keepYoungHeapSmall();
const [layout = "", name = "", indexFolder = "", work = ""] = process.argv.slice(2);
const builder: RootfsBuilder = name === "e2fsprogs" ? e2fsprogsBuilder : makeDirectBuilder();
const { signal } = new AbortController();
const limits = defaultLimits;
const target = join(work, `${name}.ext4`);
rmSync(target, { force: true });
mkdirSync(work, { recursive: true });

const seconds: Record<string, number> = {};
async function timed<T>(what: string, action: () => Promise<T>): Promise<T> {
  const begin = performance.now();
  const value = await action();
  seconds[what] = (performance.now() - begin) / 1000;
  return value;
}

const layers = await layersOf(layout);
const { blobs, indexes } = await timed("scan", () => scanLayers(layers, indexFolder));
const tree = await timed("flatten", () => runInSlices(flatten(indexes, { limits }), signal));
const uuid = "01234567-89ab-8def-8123-456789abcdef";
const given = { tree, layers: blobs, target, tempDir: work, sizeBytes: undefined, uuid, hashSeed: uuid };
const build = await timed("build", () => builder.build({ ...given, limits, signal, onProgress: () => {} }));
await timed("own", () => build.applyOwnership());
await build[Symbol.asyncDispose]();
process.stdout.write(JSON.stringify(seconds));
