import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import type { Ext4Image } from "../../src/ext4/read/image.ts";
import type { Ext4Inode } from "../../src/ext4/read/inode.ts";
import { program, type Scratch } from "./image-maker.ts";

/** What both debugfs and the reader say of an inode, in words that can be compared. */
interface Facts {
  readonly number: number;
  readonly kind: string;
  readonly mode: string;
  readonly flags: string;
  readonly generation: number;
  readonly owner: string;
  readonly size: number;
  readonly links: number;
  readonly blocks: number;
  /** Seconds modulo 2^32 and the extra word, as they lie on the disk. */
  readonly mtime: string;
  readonly device: string;
  /** Runs of blocks, neighbours joined; `u` marks unwritten ones. */
  readonly map: readonly string[];
}

/** Compares every inode that can be reached with what debugfs prints of it. Returns how many there are. */
export function assertLikeDebugfs(scratch: Scratch, path: string, image: Ext4Image): number {
  const inodes = reachable(image);
  const script = scratch.file("stat.script");
  writeFileSync(script, inodes.map(({ number }) => `stat <${number}>\n`).join(""));
  const said = program("debugfs", ["-f", script, path])
    .split(/^debugfs: stat .*\n/mu)
    .slice(1)
    .map(parseStat);
  assert.equal(said.length, inodes.length);
  for (const [i, inode] of inodes.entries()) assert.deepEqual(factsOf(image, inode), said[i]);
  return inodes.length;
}

export function reachable(image: Ext4Image): Ext4Inode[] {
  const found = new Map<number, Ext4Inode>();
  const pending = [2];
  for (let number = pending.pop(); number !== undefined; number = pending.pop()) {
    if (found.has(number)) continue;
    const inode = image.inode(number);
    found.set(number, inode);
    if (inode.kind === "directory") for (const entry of image.entries(inode)) pending.push(entry.inode);
  }
  return [...found.values()];
}

const kindNames: Readonly<Record<string, string>> = {
  regular: "file",
  "character special": "character",
  "block special": "block",
  FIFO: "fifo",
};

function parseStat(text: string): Facts {
  const find = (pattern: RegExp): string => pattern.exec(text)?.[1] ?? "";
  const kind = find(/Type: (.*?) +Mode:/u);
  return {
    number: Number(find(/^Inode: (\d+)/mu)),
    kind: kindNames[kind] ?? kind,
    mode: find(/Mode: +0*(\d+)/u),
    flags: find(/Flags: 0x(\w+)/u),
    generation: Number(find(/Generation: (\d+)/u)),
    // Printed as signed numbers.
    owner: `${Number(find(/User: +(-?\d+)/u)) >>> 0}:${Number(find(/Group: +(-?\d+)/u)) >>> 0}`,
    size: Number(find(/Size: (\d+)$/mu)),
    links: Number(find(/Links: (\d+)/u)),
    blocks: Number(find(/Blockcount: (\d+)/u)),
    mtime: find(/^ ?mtime: 0x([\w:]+)/mu),
    device: find(/major\/minor number: (\d+:\d+)/u).replaceAll(/\b0(?=\d)/gu, ""),
    map: joinRuns(parseRuns(find(/^(?:EXTENTS|BLOCKS):\n(.*)$/mu))),
  };
}

interface Run {
  readonly logical: number;
  readonly physical: number;
  readonly length: number;
  readonly unwritten: boolean;
}

/** `(0-4):1179-1183, (ETB0):33, (7[u]):40`. Blocks of the map itself have letters where others have numbers. */
function parseRuns(line: string): Run[] {
  const pattern = /\((?<from>\d+)(?:-(?<to>\d+))?(?<unwritten>\[u\])?\):(?<physical>\d+)/gu;
  return [...line.matchAll(pattern)].map(({ groups }) => {
    const logical = Number(groups?.["from"]);
    const length = Number(groups?.["to"] ?? logical) - logical + 1;
    return {
      logical,
      length,
      physical: Number(groups?.["physical"]),
      unwritten: groups?.["unwritten"] !== undefined,
    };
  });
}

function joinRuns(runs: Iterable<Run>): string[] {
  const joined: Run[] = [];
  for (const run of runs) {
    const last = joined.at(-1);
    const follows =
      last !== undefined &&
      last.logical + last.length === run.logical &&
      last.physical + last.length === run.physical &&
      last.unwritten === run.unwritten;
    if (follows) joined[joined.length - 1] = { ...last, length: last.length + run.length };
    else joined.push(run);
  }
  return joined.map((run) => `${run.logical}+${run.length}@${run.physical}${run.unwritten ? "u" : ""}`);
}

function factsOf(image: Ext4Image, inode: Ext4Inode): Facts {
  const { seconds, nanoseconds } = inode.mtime;
  const epoch = ((seconds - (seconds | 0)) / 2 ** 32) & 3;
  const word = (n: number): string => n.toString(16).padStart(8, "0");
  const wide = inode.crtime !== undefined;
  return {
    number: inode.number,
    kind: inode.kind,
    mode: inode.mode.toString(8),
    flags: inode.flags.toString(16),
    generation: inode.generation,
    owner: `${inode.uid}:${inode.gid}`,
    size: inode.size,
    links: inode.linkCount,
    blocks: inode.blocks,
    mtime: word(seconds >>> 0) + (wide ? `:${word(nanoseconds * 4 + epoch)}` : ""),
    device: inode.kind === "character" || inode.kind === "block" ? `${inode.major}:${inode.minor}` : "",
    map: joinRuns(image.extents(inode)),
  };
}
