import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { BangerError, errnoOf } from "../base/error.ts";
import type { GuestAsset } from "./asset.ts";

const op = "read guest assets";

/** Folders within folders; real trees have a dozen. */
const maxDepth = 64;

/** Names in the folder, all told: each becomes an entry of every image's last layer. */
const maxAssets = 10_000;

/**
 * A folder of the user's as it is to lie over an image's root, each folder before what is in it, names in the order
 * of their bytes. Permission bits are kept, setuid and setgid are not: whoever may write to this folder shall not
 * thereby make programs of root's. Links are kept as they are and never followed.
 *
 * @throws BangerError CONFIG_INVALID.
 */
export async function readAssetFolder(
  folder: string,
  read: (path: string) => Promise<Buffer>,
): Promise<readonly GuestAsset[]> {
  const assets: GuestAsset[] = [];
  const visit = async (below: string, depth: number): Promise<void> => {
    for (const name of await namesIn(join(folder, below))) {
      const path = below === "" ? name : `${below}/${name}`;
      const asset = await readAsset(folder, path, read);
      assets.push(asset);
      if (assets.length > maxAssets || depth > maxDepth)
        throw refused(folder, "holds too much for guest assets");
      if (asset.kind === "directory") await visit(path, depth + 1);
    }
  };
  await visit("", 1);
  return assets;
}

async function readAsset(
  folder: string,
  path: string,
  read: (path: string) => Promise<Buffer>,
): Promise<GuestAsset> {
  const full = join(folder, path);
  const stats = await lstat(full);
  const mode = stats.mode & 0o777;
  if (stats.isFile()) return { kind: "file", path, mode, content: await read(full) };
  if (stats.isSymbolicLink()) return { kind: "symlink", path, target: await readlink(full) };
  if (stats.isDirectory()) return { kind: "directory", path, mode };
  throw refused(full, "is neither file, folder nor symbolic link");
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    const names = await readdir(folder);
    for (const name of names) {
      // A layer's entry of that name would hide a file instead of being one.
      if (name.startsWith(".wh."))
        throw refused(join(folder, name), "has a name that means a whiteout in a layer");
      // What Node puts where bytes are not UTF-8.
      if (name.includes("\ufffd")) throw refused(join(folder, name), "has a name that is not UTF-8");
    }
    return names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") throw refused(folder, "is no folder");
    throw error;
  }
}

function refused(path: string, problem: string): BangerError {
  return new BangerError("CONFIG_INVALID", `the guest assets can't be used: ${path} ${problem}`, {
    op,
    hint: "Correct the folder that BANGER_GUEST_ASSETS names, or leave it out.",
    facts: { path },
  });
}
