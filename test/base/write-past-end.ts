import { open } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../../src/base/error.ts";
import { writeWhole } from "../../src/base/write-whole.ts";

/** Run by write-whole.test.ts with a folder on a disk of 1 MiB: writes more than that in one go. */
await using file = await open(join(process.argv[2] ?? "", "file"), "wx");
const piece = Buffer.alloc(300 * 1024, 1);
const pieces = [piece, piece, piece, piece, piece];
try {
  const end = await writeWhole(file, pieces, 0);
  process.stdout.write(`wrote ${end}`);
} catch (error) {
  process.stdout.write(errnoOf(error) ?? "unknown");
}
