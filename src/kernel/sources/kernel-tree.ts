import { symlinkSync } from "node:fs";
import { join, posix } from "node:path";
import { bytesToBuffer, type ByteString } from "../../base/bytes.ts";
import { entryFault, sourceFault } from "../archive/archive-fault.ts";
import type { UnpackFolder, Unpacked } from "../archive/unpack-folder.ts";
import type { KernelFiles } from "../kernel-files.ts";
import { modulesRoot, versionInName } from "../kernel-files.ts";

/** Unpacked archives, and the folder they are in. */
export interface KernelTree {
  readonly folder: string;
  readonly unpacked: UnpackFolder;
}

/** The host's path of a file of the tree. @throws BangerError KERNEL_SOURCE_INVALID where it is none */
export function fileOf({ folder, unpacked }: KernelTree, name: string, subject: string): string {
  const found = [...unpacked.made].find(([path]) => path === name)?.[1];
  // Names are bytes; a path of the host's that is made of them has to be text.
  if (found?.kind === "file" && /^[\x20-\x7e]+$/.test(name)) return join(folder, name);
  const what = found?.kind === "symlink" ? "a link" : "no file";
  throw sourceFault(
    subject,
    `has ${JSON.stringify(name)}, which is ${what}`,
    "Name the file itself under `files`.",
  );
}

/**
 * The folder of the tree that is itself `lib/modules/<version>`, with its links made.
 *
 * @param below where in the tree to look for it; empty for all of it
 * @throws BangerError KERNEL_SOURCE_INVALID where there is none, or a link leads out of it
 */
export function modulesOf(
  { folder, unpacked }: KernelTree,
  below: string,
  files: Pick<KernelFiles, "kernel">,
  subject: string,
): string {
  const root = modulesRoot([...unpacked.made.keys()], below, versionInName(files.kernel), subject);
  makeLinks(folder, root, unpacked.made, subject);
  return join(folder, root);
}

/**
 * A `..` after a name: where that leads depends on what the name links to. Links without one lead down from a real
 * folder, through links that stay inside themselves.
 */
const climbsLate = /(?:^|\/)(?!\.{1,2}(?:\/|$))[^/]+\/+(?:.*\/)?\.\.(?:\/|$)/s;

/** Only now that all else is in its place: nothing was written through any of them. */
function makeLinks(
  folder: string,
  root: string,
  made: ReadonlyMap<ByteString, Unpacked>,
  subject: string,
): void {
  for (const [path, entry] of made) {
    if (entry.kind !== "symlink" || !isBelow(path, root)) continue;
    // `make modules_install` makes these two lead to where the kernel was built, which is nowhere here.
    const name = root === "" ? path : path.slice(root.length + 1);
    if (name === "build" || name === "source") continue;
    const target = posix.normalize(posix.join(posix.dirname(path), entry.target));
    if (entry.target.startsWith("/") || climbsLate.test(entry.target) || !isBelow(target, root)) {
      throw entryFault(subject, path, "is a link that leads out of the modules' folder");
    }
    const place = Buffer.concat([Buffer.from(`${folder}/`), bytesToBuffer(path)]);
    symlinkSync(bytesToBuffer(entry.target), place);
  }
}

/** Names of entries and of the root are both bytes, or both plain ASCII. */
function isBelow(path: string, root: string): boolean {
  if (root === "") return path !== ".." && !path.startsWith("../") && !path.startsWith("/");
  return path.startsWith(`${root}/`);
}
