import { posix } from "node:path";
import type { LayerEntry, LayerIndex } from "../../src/layers/layer-index.ts";

/**
 * The rules of merging once more, as slowly and plainly as they can be written: a map of whole paths, copied before
 * each layer. It shares nothing with `src/layers` but the type of its input, so that where both agree on random
 * layers, both would have to be wrong in the same way.
 */
export interface NaiveName {
  readonly inode: NaiveInode;
  /** Layer and entry that gave the name. */
  readonly by: string;
}

export interface NaiveInode {
  kind: string;
  data: string;
  target: string;
  meta: string;
  origin: string;
  bytes: number;
}

type Tree = Map<string, NaiveName>;

export class NaiveRefusal extends Error {
  readonly rule: string;
  readonly layer: number;
  readonly entry: number;

  constructor(rule: string, layer: number, entry: number) {
    super(`${rule} at entry ${entry} of layer ${layer}`);
    this.rule = rule;
    this.layer = layer;
    this.entry = entry;
  }
}

/** Ways to be wrong on purpose: a comparison that does not notice them is none. */
export const mistakes = [
  "markers hide their own layer",
  "opaque hides one level only",
  "opaque hides its directory",
  "a directory's entry goes through a symlink",
  "a directory keeps its old metadata",
  "a directory's entry empties it",
  "a hard link copies",
  "a hard link takes its header's metadata",
  "the first entry for a path wins",
  "absolute links are relative",
  "dangling parents are not followed",
  "a file replaced by a directory is not listed",
  "what a marker hides can't be linked to",
  "a marker does not see its own layer's links and directories",
  "a hard link does not wait for its target",
  "a marker's parents are not resolved",
  "a symlink over a directory leaves its contents",
] as const;

export type Mistake = (typeof mistakes)[number];

export interface NaiveResult {
  readonly names: ReadonlyMap<string, NaiveName>;
  readonly losses: readonly string[];
  readonly hiddenEntries: number;
}

export function naiveMerge(layers: readonly LayerIndex[], ...done: readonly Mistake[]): NaiveResult {
  const root = madeDirectory("0/0", "0.0");
  let tree: Tree = new Map([["", { inode: root, by: "0/0" }]]);
  const losses: string[] = [];
  for (const [number, layer] of layers.entries()) {
    tree = new NaiveLayer(tree, layer, number, done, losses).merge();
  }
  const live = new Set<string>();
  for (const { inode, by } of tree.values()) live.add(inode.origin).add(by);
  live.delete("0/0");
  const total = layers.reduce((sum, { entries }) => sum + entries.length, 0);
  return { names: tree, losses, hiddenEntries: total - live.size };
}

function madeDirectory(origin: string, time: string): NaiveInode {
  return { kind: "directory", data: "", target: "", meta: `755 0:0 ${time}`, origin, bytes: 0 };
}

function timeOf({ mtime }: LayerEntry): string {
  return `${mtime.seconds}.${mtime.nanoseconds}`;
}

function metaOf(entry: LayerEntry): string {
  const mode = entry.kind === "symlink" ? 0o777 : entry.mode;
  const xattrs = entry.xattrs.map(({ name, value }) => ` ${name}=${value.toString("hex")}`).join("");
  return `${mode.toString(8)} ${entry.uid}:${entry.gid} ${timeOf(entry)}${xattrs}`;
}

class NaiveLayer {
  readonly tree: Tree;
  readonly layer: LayerIndex;
  readonly number: number;
  readonly mistakes: readonly Mistake[];
  readonly losses: string[];
  readonly hidden: Tree = new Map();
  readonly waiting: { path: string; entry: LayerEntry; target: string; name: NaiveName }[] = [];

  constructor(below: Tree, layer: LayerIndex, number: number, done: readonly Mistake[], losses: string[]) {
    this.tree = new Map(below);
    this.layer = layer;
    this.number = number;
    this.mistakes = done;
    this.losses = losses;
  }

  does(mistake: Mistake): boolean {
    return this.mistakes.includes(mistake);
  }

  merge(): Tree {
    if (!this.does("markers hide their own layer")) this.hideBelow();
    for (const entry of this.layer.entries) {
      if (!isMarker(entry)) this.mergeEntry(entry);
    }
    if (this.does("markers hide their own layer")) this.hideBelow();
    this.settle();
    return this.tree;
  }

  refuse(rule: string, entry: LayerEntry): never {
    throw new NaiveRefusal(rule, this.number, entry.number);
  }

  hideBelow(): void {
    const markers = this.layer.entries.filter(isMarker);
    const depthOf = (entry: LayerEntry) => normal(entry.path).split("/").length;
    const depths = [...new Set(markers.map(depthOf))].toSorted((a, b) => a - b);
    for (const depth of depths) {
      const goers = new Set<string>();
      for (const marker of markers.filter((entry) => depthOf(entry) === depth)) {
        for (const path of this.victims(marker)) goers.add(path);
      }
      for (const path of goers) {
        const name = this.tree.get(path);
        if (name !== undefined) this.hidden.set(path, name);
        this.tree.delete(path);
      }
    }
  }

  victims(marker: LayerEntry): string[] {
    const path = normal(marker.path);
    const name = posix.basename(path).slice(4);
    const parent = posix.dirname(path) === "." ? "" : posix.dirname(path);
    const own = this.does("a marker does not see its own layer's links and directories");
    const place = this.does("a marker's parents are not resolved")
      ? { directory: parent, missing: [] }
      : this.locate(parent, marker, (real, typed) => (own ? this.tree.get(real) : this.overlay(real, typed)));
    if (place.missing.length > 0) return [];
    const all = [...this.tree.keys()];
    if (name !== ".wh..opq") {
      const hit = place.directory === "" ? name : `${place.directory}/${name}`;
      return all.filter((key) => key === hit || key.startsWith(`${hit}/`));
    }
    const within = place.directory === "" ? "" : `${place.directory}/`;
    if (this.does("opaque hides its directory") && within !== "") {
      return all.filter((key) => key === place.directory || key.startsWith(within));
    }
    const inside = all.filter((key) => key !== "" && key.startsWith(within));
    if (!this.does("opaque hides one level only")) return inside;
    return inside.filter(
      (key) => this.tree.get(key)?.inode.kind !== "directory" && !key.slice(within.length).includes("/"),
    );
  }

  /** The tree below, with this layer's own directories and symlinks laid over it. */
  overlay(real: string, typed: string | undefined): NaiveName | undefined {
    const below = this.tree.get(real);
    const lying = (path: string) =>
      this.layer.entries.findLast(
        ({ kind, path: raw }) => (kind === "directory" || kind === "symlink") && normal(raw) === path,
      );
    const entry = lying(real) ?? (typed === undefined ? undefined : lying(typed));
    if (entry?.kind === "symlink") {
      const inode = { ...madeDirectory("", ""), kind: "symlink", target: String(entry.target) };
      return { inode, by: "" };
    }
    if (entry?.kind === "directory" && below?.inode.kind !== "directory") return undefined;
    return below;
  }

  locate(
    path: string,
    entry: LayerEntry,
    get: (real: string, typed: string | undefined) => NaiveName | undefined,
  ): { directory: string; missing: string[] } {
    let at: string[] = [];
    const missing: string[] = [];
    let links = 0;
    const follow = (parts: readonly string[], typed: boolean): void => {
      for (const [i, part] of parts.entries()) {
        if (part === "" || part === ".") continue;
        if (part === "..") {
          if (missing.pop() === undefined) at.pop();
          continue;
        }
        const real = [...at, part].join("/");
        const found =
          missing.length > 0 ? undefined : get(real, typed ? parts.slice(0, i + 1).join("/") : undefined);
        if (found?.inode.kind === "directory") at.push(part);
        else if (found?.inode.kind === "symlink") {
          if (++links > 40) this.refuse("symlink-loop", entry);
          const { target } = found.inode;
          if (target.startsWith("/") && !this.does("absolute links are relative")) at = [];
          follow(target.split("/"), false);
        } else missing.push(part);
      }
    };
    follow(path.split("/"), true);
    return { directory: at.join("/"), missing };
  }

  mergeEntry(entry: LayerEntry): void {
    const by = `${this.number}/${entry.number}`;
    const path = normal(entry.path);
    const through = this.does("a directory's entry goes through a symlink") && entry.kind === "directory";
    const parent = this.makeAll(through ? path : dirnameOf(path), entry, by);
    if (through) {
      const inode = this.tree.get(parent)?.inode;
      if (inode !== undefined) this.setName(parent, { ...inode, meta: metaOf(entry), origin: by }, by);
      return;
    }
    if (path === "") return this.describeRoot(entry, by);
    const real = parent === "" ? posix.basename(path) : `${parent}/${posix.basename(path)}`;
    const old = this.tree.get(real);
    if (this.does("the first entry for a path wins") && old?.by.startsWith(`${this.number}/`)) return;
    if (entry.kind === "directory" && old?.inode.kind === "directory") {
      if (this.does("a directory's entry empties it")) this.remove(real);
      const meta = this.does("a directory keeps its old metadata") ? old.inode.meta : metaOf(entry);
      return this.setName(real, { ...old.inode, meta, origin: by }, by);
    }
    if (this.does("a symlink over a directory leaves its contents") && entry.kind === "symlink") {
      this.tree.delete(real);
    } else this.remove(real);
    if (entry.kind === "hardlink") this.link(real, entry, by);
    else this.setName(real, inodeOf(entry, by), by);
  }

  describeRoot(entry: LayerEntry, by: string): void {
    if (entry.kind !== "directory") this.refuse("root-not-directory", entry);
    this.setName("", { ...inodeOf(entry, by) }, by);
  }

  setName(path: string, inode: NaiveInode, by: string): void {
    this.tree.set(path, { inode, by });
  }

  remove(path: string): void {
    // What a marker hid in a directory goes for good with that directory, once an entry replaces it.
    if (!this.hidden.has(path)) {
      for (const key of this.hidden.keys()) if (key.startsWith(`${path}/`)) this.hidden.delete(key);
    }
    for (const key of this.tree.keys()) {
      if (key === path || key.startsWith(`${path}/`)) this.tree.delete(key);
    }
  }

  makeAll(path: string, entry: LayerEntry, by: string): string {
    const place = this.locate(path, entry, (real) => this.tree.get(real));
    if (this.does("dangling parents are not followed") && place.missing.length > 1) {
      place.directory = path;
      place.missing.length = 0;
      if (!this.tree.has(path)) this.setName(path, madeDirectory(by, timeOf(entry)), by);
    }
    let { directory } = place;
    for (const name of place.missing) {
      directory = directory === "" ? name : `${directory}/${name}`;
      if (this.tree.has(directory) && !this.does("a file replaced by a directory is not listed")) {
        this.losses.push(`FILE_REPLACED_BY_PARENT ${by} ${directory}`);
      }
      this.setName(directory, madeDirectory(by, timeOf(entry)), by);
    }
    return directory;
  }

  link(real: string, entry: Extract<LayerEntry, { kind: "hardlink" }>, by: string): void {
    const target = normal(entry.target);
    const found = this.find(target, entry, real) ?? this.findHidden(target, entry);
    if (found?.inode.kind === "directory") this.refuse("link-target-directory", entry);
    if (found !== undefined && !this.waiting.some(({ name }) => name.inode === found.inode)) {
      this.setName(real, this.shared(found.inode, entry), by);
      return;
    }
    if (this.does("a hard link does not wait for its target")) this.refuse("link-target-missing", entry);
    const name = { inode: { ...madeDirectory(by, ""), kind: "waiting" }, by };
    this.tree.set(real, name);
    this.waiting.push({ path: real, entry, target, name });
  }

  shared(inode: NaiveInode, entry: LayerEntry): NaiveInode {
    if (this.does("a hard link copies")) return { ...inode };
    if (this.does("a hard link takes its header's metadata")) inode.meta = metaOf(entry);
    return inode;
  }

  find(target: string, entry: LayerEntry, real: string): NaiveName | undefined {
    if (target === "") return this.tree.get("");
    const name = posix.basename(target);
    const below = (directory: string) => (directory === "" ? name : `${directory}/${name}`);
    const place = this.locate(dirnameOf(target), entry, (key) => this.tree.get(key));
    if (place.missing.length === 0) {
      if (below(place.directory) === real) this.refuse("link-to-itself", entry);
      const found = this.tree.get(below(place.directory));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  findHidden(target: string, entry: LayerEntry): NaiveName | undefined {
    if (this.hidden.size === 0 || this.does("what a marker hides can't be linked to")) return undefined;
    const unhidden = (key: string) =>
      this.hidden.get(key) ?? (this.hidden.has(dirnameOf(key)) ? undefined : this.tree.get(key));
    const { directory, missing } = this.locate(dirnameOf(target), entry, unhidden);
    if (missing.length > 0) return undefined;
    const name = posix.basename(target);
    return unhidden(directory === "" ? name : `${directory}/${name}`);
  }

  settle(): void {
    for (const first of this.waiting) {
      const seen = [first];
      let inode: NaiveInode | undefined;
      if (first.name.inode.kind !== "waiting") continue;
      for (let link = first; ;) {
        const found = this.find(link.target, link.entry, link.path);
        if (found === undefined) this.refuse("link-target-missing", link.entry);
        if (found.inode.kind === "directory") this.refuse("link-target-directory", link.entry);
        const next = this.waiting.find(({ name }) => name.inode === found.inode);
        if (next === undefined) {
          inode = found.inode;
          break;
        }
        if (seen.includes(next)) this.refuse("link-cycle", link.entry);
        seen.push(next);
        link = next;
      }
      for (const link of seen) {
        if (this.tree.get(link.path) === link.name) {
          this.setName(link.path, this.shared(inode, link.entry), link.name.by);
        }
        link.name.inode.kind = "settled";
      }
    }
  }
}

function inodeOf(entry: LayerEntry, origin: string): NaiveInode {
  const inode = { kind: entry.kind, data: "", target: "", meta: metaOf(entry), origin, bytes: 0 };
  switch (entry.kind) {
    case "file":
      return { ...inode, data: `${entry.size} ${entry.sha256.toString("hex")}`, bytes: entry.storedBytes };
    case "symlink":
      return { ...inode, target: entry.target };
    case "character":
    case "block":
      return { ...inode, data: `${entry.major}:${entry.minor}` };
    case "directory":
    case "hardlink":
    case "fifo":
      return inode;
  }
}

function normal(path: string): string {
  return posix.normalize(`/${path}`).replace(/\/$/, "").slice(1);
}

function dirnameOf(path: string): string {
  return posix.dirname(path) === "." ? "" : posix.dirname(path);
}

function isMarker({ path }: LayerEntry): boolean {
  return posix.basename(normal(path)).startsWith(".wh.");
}
