import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "./program.ts";
import { readHostTree, type HostEntry } from "./host-tree.ts";

/** Mounts an ext4 file, read-only, for as long as `look` looks. Needs root, as mounting does. */
export function whileMounted<T>(image: string, look: (folder: string) => T): T {
  return whileMountedWith("loop,ro,norecovery", image, look);
}

/** Mounts it to be changed. */
export function whileMountedWritable<T>(image: string, change: (folder: string) => T): T {
  return whileMountedWith("loop,rw", image, change);
}

function whileMountedWith<T>(options: string, image: string, look: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "banger-mount-"));
  try {
    runProgram("mount", ["-t", "ext4", "-o", options, image, folder]);
    try {
      return look(folder);
    } finally {
      runProgram("umount", [folder]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Every name of an ext4 file, as the kernel reads it: an opinion that is neither the builder's nor our reader's.
 * mkfs's own empty `/lost+found` is left out.
 */
export function readMounted(image: string): ReadonlyMap<string, HostEntry> {
  const tree = new Map(whileMounted(image, readHostTree));
  tree.delete("/lost+found");
  return tree;
}
