import { utf8Bytes } from "../base/bytes.ts";
import { BangerError } from "../base/error.ts";
import type { DirectoryInode } from "../layers/root-tree.ts";

export const lostAndFoundName = utf8Bytes("lost+found");

/**
 * The image's own /lost+found; undefined where it has none, and ext4's own is made.
 *
 * @throws BangerError INTERNAL where it is no directory: flattening refuses that, whatever builds
 */
export function lostAndFoundOf({ children }: DirectoryInode): DirectoryInode | undefined {
  const found = children.get(lostAndFoundName);
  if (found === undefined || found.kind === "directory") return found;
  throw new BangerError("INTERNAL", `the tree has a ${found.kind} for /lost+found`, {
    op: "plan file system",
  });
}
