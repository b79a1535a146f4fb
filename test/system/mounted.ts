import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "./program.ts";
import { readHostTree, type HostEntry } from "./host-tree.ts";

/**
 * Every name of an ext4 file, as the kernel reads it: an opinion that is neither the builder's nor our reader's.
 * mkfs's own empty `/lost+found` is left out. Needs root, as mounting does.
 */
export function readMounted(image: string): ReadonlyMap<string, HostEntry> {
  const folder = mkdtempSync(join(tmpdir(), "banger-mount-"));
  try {
    runProgram("mount", ["-t", "ext4", "-o", "loop,ro,norecovery", image, folder]);
    try {
      const tree = new Map(readHostTree(folder));
      tree.delete("/lost+found");
      return tree;
    } finally {
      runProgram("umount", [folder]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
