import assert from "node:assert/strict";
import { digestOf } from "../../src/base/digest.ts";
import { BangerError, type Reason } from "../../src/base/error.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import type { EntryLoss } from "../../src/layers/layer-index.ts";
import type { ArchiveEntry } from "../../src/layers/tar/entry.ts";
import type { TarLimits } from "../../src/layers/tar/tar-context.ts";
import { TarReader } from "../../src/layers/tar/tar-reader.ts";

export const someLayer = digestOf(Buffer.from("some layer"));

export interface ReadTar {
  readonly entries: readonly ArchiveEntry[];
  /** Stored bytes of the files that have any, by entry number. */
  readonly contents: ReadonlyMap<number, Buffer>;
  readonly losses: readonly EntryLoss[];
}

/** Reads an archive whole, pushed in pieces of the sizes that `nextSize` gives. */
export function readTar(
  archive: Buffer,
  limits: Partial<TarLimits> = {},
  nextSize: () => number = () => archive.length,
): ReadTar {
  const entries: ArchiveEntry[] = [];
  const losses: EntryLoss[] = [];
  const pieces = new Map<number, Buffer[]>();
  const sink = {
    entry: (entry: ArchiveEntry) => void entries.push(entry),
    loss: (loss: EntryLoss) => void losses.push(loss),
    content: (piece: Buffer) => {
      const number = entries.at(-1)?.number ?? 0;
      const list = pieces.get(number) ?? [];
      list.push(Buffer.from(piece));
      pieces.set(number, list);
    },
  };
  const reader = new TarReader(sink, someLayer, { ...defaultLimits, ...limits });
  for (let at = 0; at < archive.length;) {
    const size = Math.max(1, nextSize());
    // A copy that is wiped after the push: what the reader keeps must not lie in it.
    const piece = Buffer.from(archive.subarray(at, at + size));
    reader.push(piece);
    piece.fill(0xee);
    at += size;
  }
  reader.end();
  const contents = new Map([...pieces].map(([number, list]) => [number, Buffer.concat(list)]));
  return { entries, contents, losses };
}

/** The one entry of an archive. */
export function readOne(archive: Buffer): ArchiveEntry {
  const { entries } = readTar(archive);
  assert.equal(entries.length, 1);
  const [entry] = entries;
  assert.ok(entry !== undefined);
  return entry;
}

/** Asserts that an archive is refused, and that the error says where and why. */
export function assertRefused(
  archive: Buffer,
  expected: { reason: Reason; rule: string; entry?: number; name?: string },
  limits: Partial<TarLimits> = {},
): BangerError {
  let caught: unknown;
  try {
    readTar(archive, limits);
  } catch (error) {
    caught = error;
  }
  assert.ok(caught instanceof BangerError, `not refused with a BangerError: ${String(caught)}`);
  const { entry = 1, name } = expected;
  assert.equal(caught.reason, expected.reason, caught.message);
  assert.equal(caught.facts["rule"], expected.rule, caught.message);
  assert.equal(caught.facts["layer"], someLayer);
  assert.equal(caught.facts["entry"], String(entry), caught.message);
  if (name !== undefined) assert.equal(caught.facts["name"], name);
  assert.ok(caught.message.includes(`entry ${entry}`), caught.message);
  return caught;
}
