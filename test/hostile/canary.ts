import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The folders of a campaign: those that it may write to, and those that tell if it wrote elsewhere. */
export interface Grounds {
  readonly root: string;
  /** Blobs, indexes, images. */
  readonly state: string;
  readonly temp: string;
  /** Layers try to get here. */
  readonly canary: string;
  /** Where the process runs, for names that are taken as relative to it. */
  readonly here: string;
}

export function layGrounds(root: string): Grounds {
  const grounds = {
    root,
    state: join(root, "state"),
    temp: join(root, "tmp"),
    canary: join(root, "canary"),
    here: join(root, "canary", "here"),
  };
  for (const folder of [grounds.state, grounds.temp, grounds.canary, grounds.here])
    mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(grounds.canary, "keep"), "as it was");
  writeFileSync(join(grounds.here, "keep"), "as it was");
  mkdirSync(join(grounds.canary, "folder"));
  symlinkSync("keep", join(grounds.canary, "link"));
  return grounds;
}

/** Everything around the folders that may be written to: path → what it is, with its content's hash. */
export function surroundings({ root, state, temp }: Grounds): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const todo = [root];
  for (let folder = todo.pop(); folder !== undefined; folder = todo.pop()) {
    for (const name of readdirSync(folder, { encoding: "latin1" })) {
      const path = join(folder, name);
      const stats = lstatSync(path);
      const isFolder = stats.isDirectory();
      const free = path === state || path === temp;
      const content = stats.isFile() ? createHash("sha256").update(readFileSync(path)).digest("hex") : "";
      const { mode, uid, gid, nlink, mtimeMs } = stats;
      found.set(path, free ? "free" : [mode, uid, gid, nlink, mtimeMs, content].join(" "));
      if (isFolder && !free) todo.push(path);
    }
  }
  return found;
}
