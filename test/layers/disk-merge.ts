import {
  chmodSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  type Stats,
} from "node:fs";
import { posix } from "node:path";
import type { LayerEntry, LayerIndex } from "../../src/layers/layer-index.ts";

/**
 * Applies layers one after the other to a real directory with the kernel's own calls: what it means to unlink, link
 * and replace is the kernel's to say here. Files, directories, symlinks and hard links only; a file's content is its hash.
 * A marker's directory is looked up as the tree below has it, and a hard link's target must be there before it.
 */
export function mergeOnDisk(folder: string, layers: readonly LayerIndex[]): string[] {
  const root = `${folder}/root`;
  const grave = `${folder}/grave`;
  mkdirSync(root);
  mkdirSync(grave);
  chmodSync(root, 0o755);
  const times = new Map<number, number>([[lstatSync(root).ino, 0]]);
  for (const layer of layers) new DiskLayer(root, grave, times).merge(layer);
  rmSync(grave, { recursive: true });
  return listOf(root, times);
}

class DiskLayer {
  readonly root: string;
  readonly grave: string;
  /** Of directories, whose own times change with each name in them. */
  readonly times: Map<number, number>;

  constructor(root: string, grave: string, times: Map<number, number>) {
    this.root = root;
    this.grave = grave;
    this.times = times;
  }

  merge(layer: LayerIndex): void {
    const markers = layer.entries.filter(isMarker);
    const depths = [...new Set(markers.map(depthOf))].toSorted((a, b) => a - b);
    for (const depth of depths) {
      const found = markers
        .filter((entry) => depthOf(entry) === depth)
        .map(({ path }) => ({ name: posix.basename(path), place: this.locate(posix.dirname(`/${path}`)) }))
        .filter(({ place }) => place.missing.length === 0);
      for (const { place, name } of found) this.hide(place.directory, name);
    }
    for (const entry of layer.entries) if (!isMarker(entry)) this.apply(entry);
  }

  hide(directory: string, name: string): void {
    const hidden = name === ".wh..wh..opq" ? readdirSync(directory) : [name.slice(4)];
    for (const victim of hidden) {
      // Moved, not removed: an inode number that is used again would be taken for the old directory.
      if (exists(`${directory}/${victim}`))
        renameSync(`${directory}/${victim}`, `${this.grave}/${Math.random()}`);
    }
  }

  apply(entry: LayerEntry): void {
    const clean = posix.normalize(`/${entry.path}`).replace(/\/$/, "");
    const seconds = entry.mtime.seconds;
    if (clean === "") {
      this.describe(this.root, entry);
      return;
    }
    const parent = this.make(posix.dirname(clean), seconds);
    const path = `${parent}/${posix.basename(clean)}`;
    const old = exists(path);
    if (entry.kind === "directory") {
      if (old?.isDirectory() !== true) {
        rmSync(path, { force: true });
        mkdirSync(path);
      }
      this.describe(path, entry);
      return;
    }
    rmSync(path, { recursive: true, force: true });
    if (entry.kind === "hardlink") {
      const target = posix.normalize(`/${entry.target}`).replace(/\/$/, "");
      const { directory } = this.locate(posix.dirname(target));
      linkSync(`${directory}/${posix.basename(target)}`, path);
      return;
    }
    if (entry.kind === "symlink") symlinkSync(entry.target, path);
    else writeFileSync(path, entry.kind === "file" ? entry.sha256 : "");
    this.describe(path, entry);
  }

  describe(path: string, entry: LayerEntry): void {
    lchownSync(path, entry.uid, entry.gid);
    if (entry.kind !== "symlink") chmodSync(path, entry.mode);
    lutimesSync(path, 0, entry.mtime.seconds);
    if (entry.kind === "directory") this.times.set(lstatSync(path).ino, entry.mtime.seconds);
  }

  make(path: string, seconds: number): string {
    const { directory, missing } = this.locate(path);
    let at = directory;
    for (const name of missing) {
      at += `/${name}`;
      rmSync(at, { force: true });
      mkdirSync(at);
      chmodSync(at, 0o755);
      this.times.set(lstatSync(at).ino, seconds);
    }
    return at;
  }

  /** As securejoin would: step by step, with the root as the root. */
  locate(path: string): { directory: string; missing: string[] } {
    const at: string[] = [];
    const missing: string[] = [];
    const todo = path.split("/");
    for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
      if (part === "" || part === ".") continue;
      if (part === "..") {
        if (missing.pop() === undefined) at.pop();
        continue;
      }
      const real = [this.root, ...at, part].join("/");
      const found = missing.length > 0 ? undefined : exists(real);
      if (found?.isSymbolicLink() === true) {
        const target = readlinkSync(real);
        if (target.startsWith("/")) at.length = 0;
        todo.unshift(...target.split("/"));
      } else (found?.isDirectory() === true ? at : missing).push(part);
    }
    return { directory: [this.root, ...at].join("/"), missing };
  }
}

function listOf(root: string, times: ReadonlyMap<number, number>): string[] {
  const first = new Map<number, string>();
  const lines: string[] = [];
  const visit = (path: string): void => {
    const stats = lstatSync(root + path);
    const shown = path === "" ? "/" : path;
    const known = first.get(stats.ino);
    first.set(stats.ino, known ?? shown);
    lines.push(known === undefined ? `${shown} ${textOf(root + path, stats, times)}` : `${shown} = ${known}`);
    if (stats.isDirectory()) for (const name of readdirSync(root + path).toSorted()) visit(`${path}/${name}`);
  };
  visit("");
  return lines;
}

function textOf(path: string, stats: Stats, times: ReadonlyMap<number, number>): string {
  const mode = (stats.mode & 0o7777).toString(8);
  const owner = `${mode} ${stats.uid}:${stats.gid}`;
  const links = `links=${stats.nlink}`;
  const seconds = Math.floor(stats.mtimeMs / 1000);
  if (stats.isDirectory()) return `directory ${owner} ${times.get(stats.ino)}`;
  if (stats.isSymbolicLink()) return `symlink ${owner} ${seconds} ${links} ${readlinkSync(path)}`;
  return `file ${owner} ${seconds} ${links} ${readFileSync(path).toString("hex")}`;
}

function exists(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function isMarker({ path }: LayerEntry): boolean {
  return posix.basename(path).startsWith(".wh.");
}

function depthOf({ path }: LayerEntry): number {
  return posix.normalize(`/${path}`).split("/").length;
}
