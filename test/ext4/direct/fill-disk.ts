import { join } from "node:path";
import { BangerError } from "../../../src/base/error.ts";
import { defaultLimits } from "../../../src/base/limits.ts";
import { contentPool, writeContents } from "../../../src/ext4/direct/contents.ts";
import { noise } from "../sample-tree.ts";
import { writeLayer } from "../../layers/layer-blob.ts";
import { emptyImage, packed } from "./content-rig.ts";

/** Run by contents.test.ts with a folder on a disk of 2 MiB: writes more into an image there than it holds. */
const folder = process.argv[2] ?? "";
const layer = await writeLayer(folder, noise(600_000), "none");
const target = emptyImage(join(folder, "rootfs.ext4"), 16 * 2 ** 20);
const runs = packed([0, 0, 600_000]);
const runsByLayer = [0, 1, 2, 3].map((at) =>
  runs.map((value, index) => (index === 1 ? at * 2 ** 20 : value)),
);
await using pool = contentPool(2);
try {
  const { signal } = new AbortController();
  const layers = [layer, layer, layer, layer];
  await writeContents(runsByLayer, {
    target,
    layers,
    limits: defaultLimits,
    pool,
    signal,
    onBytes: () => {},
  });
} catch (error) {
  if (!(error instanceof BangerError)) throw error;
  process.stdout.write(
    JSON.stringify({ reason: error.reason, namesTheFile: error.message.includes(target) }),
  );
}
