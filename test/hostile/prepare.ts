import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { digestOf, hexOf } from "../../src/base/digest.ts";
import { allCases } from "./all-cases.ts";
import type { StoredCase } from "./hostile-case.ts";

/** Makes every case, and writes its blobs into a new folder. */
export function prepareCases(blobFolder: string, canary: string): readonly StoredCase[] {
  mkdirSync(blobFolder);
  return allCases({ folder: canary }).map(({ make }) => {
    const { name, expect, build, layers } = make();
    const blobs = layers.map(({ blob, diffId }) => {
      const digest = digestOf(blob);
      const path = join(blobFolder, hexOf(digest));
      writeFileSync(path, blob);
      return { digest, diffId, path, crc32: crc32(blob) };
    });
    return { name, expect, build, layers: blobs };
  });
}
