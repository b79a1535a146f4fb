import type { Segment } from "../layer-index.ts";
import type { Parser, Want } from "./byte-feed.ts";
import { blockBytes, field } from "./header.ts";
import { decimal, numberField } from "./number-field.ts";
import { sparseMapKey, type PaxScope } from "./pax.ts";
import type { TarContext } from "./tar-context.ts";

/** A sparse file's map as it was written, before it is checked. */
export interface SparseMap {
  readonly realSize: number;
  readonly segments: Segment[];
}

/** `struct sparse` of GNU tar's tar.h: two numbers of 12 bytes. */
const oldSegmentBytes = 24;
const oldHeaderMap = { start: 386, segments: 4, isExtendedAt: 482 } as const;
const oldExtensionMap = { start: 0, segments: 21, isExtendedAt: 504 } as const;

/** Reads an old GNU sparse map (type "S"): four segments in the header, and 21 in each extension block after it. */
export function* readOldSparse(header: Buffer, context: TarContext, block: () => Want): Parser<SparseMap> {
  const { start, bytes } = field.sparseRealSize;
  const realSize = numberField(header, start, bytes);
  if (realSize === undefined || realSize < 0)
    throw context.invalid("sparse-map", "its real size is no number");
  const segments: Segment[] = [];
  let extended = readOldSegments(header, oldHeaderMap, segments, context);
  while (extended) extended = readOldSegments(yield block(), oldExtensionMap, segments, context);
  return { realSize, segments };
}

/** @returns whether an extension block follows. */
function readOldSegments(
  block: Buffer,
  map: typeof oldHeaderMap | typeof oldExtensionMap,
  segments: Segment[],
  context: TarContext,
): boolean {
  for (let i = 0; i < map.segments; i++) {
    const at = map.start + i * oldSegmentBytes;
    // GNU tar and Go end the map at a blank field, and still follow the extension flag.
    if (block[at] === 0 || block[at + 12] === 0) break;
    const offset = numberField(block, at, 12);
    const length = numberField(block, at + 12, 12);
    addSegment(segments, offset, length, context);
  }
  return block[map.isExtendedAt] !== 0;
}

function addSegment(
  segments: Segment[],
  offset: number | undefined,
  length: number | undefined,
  context: TarContext,
): void {
  if (offset === undefined || length === undefined)
    throw context.invalid("sparse-map", "its sparse map has something that is no number");
  if (++context.sparseSegments > context.limits.sparseSegments) throw tooMany(context);
  segments.push({ offset, length });
}

function tooMany(context: TarContext): Error {
  const what = `with its sparse map there are more than the ${context.limits.sparseSegments} pieces that are allowed`;
  return context.limit("LIMIT_SPARSE_MAP", what);
}

/**
 * Which of GNU's PAX sparse formats an entry has (GNU tar manual, "Storing Sparse Files"; Go
 * `readGNUSparsePAXHeaders`). Parts of one are refused: GNU tar would take a GNU.sparse.name alone, Go would not.
 */
export function paxSparseFormat(pax: PaxScope, context: TarContext): "0.x" | "1.0" | undefined {
  if (!pax.hasOwn("GNU.sparse.")) return undefined;
  const major = pax.get("GNU.sparse.major");
  const minor = pax.get("GNU.sparse.minor");
  const hasMap = pax.get(sparseMapKey) !== undefined || pax.get("GNU.sparse.size") !== undefined;
  if (major === undefined && minor === undefined && hasMap) return "0.x";
  if (major === "0" && (minor === "0" || minor === "1")) return "0.x";
  if (major === "1" && minor === "0") return "1.0";
  throw context.invalid("sparse-map", "its sparse format is none of 0.0, 0.1 and 1.0");
}

/** The map of 0.0 and 0.1, which is in the records. */
export function readPaxSparse0(pax: PaxScope, context: TarContext): SparseMap {
  const realSize = paxRealSize(pax, context);
  const map = pax.get(sparseMapKey);
  const numbers = map === undefined ? [] : map.split(",");
  const count = pax.get("GNU.sparse.numblocks");
  if (numbers.length % 2 !== 0 || (count !== undefined && decimal(count) !== numbers.length / 2))
    throw context.invalid("sparse-map", "its sparse map has not the length that it says");
  const segments: Segment[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    addSegment(segments, decimal(numbers[i] ?? ""), decimal(numbers[i + 1] ?? ""), context);
  }
  return { realSize, segments };
}

/**
 * The map of 1.0, which precedes the content: a count, then offset and length of each, a line for each number, all
 * padded to a block.
 */
export function* readPaxSparse1(
  pax: PaxScope,
  storedBytes: number,
  context: TarContext,
  block: () => Want,
): Parser<SparseMap & { readonly mapBytes: number }> {
  const realSize = paxRealSize(pax, context);
  const lines = new NumberLines(context);
  const segments: Segment[] = [];
  let mapBytes = 0;
  let count: number | undefined;
  let offset: number | undefined;
  while (count === undefined || segments.length < count) {
    if (mapBytes + blockBytes > storedBytes)
      throw context.invalid("sparse-map", "its sparse map is longer than its content");
    mapBytes += blockBytes;
    for (const number of lines.read(yield block())) {
      if (count === undefined) {
        count = number;
        context.sparseSegments += count;
        if (context.sparseSegments > context.limits.sparseSegments) throw tooMany(context);
      } else if (segments.length === count) break;
      else if (offset === undefined) offset = number;
      else {
        segments.push({ offset, length: number });
        offset = undefined;
      }
    }
  }
  return { realSize, segments, mapBytes };
}

const maxLineBytes = 20;

/** Splits blocks into the numbers on their lines; a line may span two blocks. */
class NumberLines {
  readonly #context: TarContext;
  #rest = "";

  constructor(context: TarContext) {
    this.#context = context;
  }

  *read(block: Buffer): Generator<number> {
    // No number is as long. Without the bound each block would be joined to all those before it.
    if (this.#rest.length > maxLineBytes) throw this.#noNumber();
    const lines = (this.#rest + block.toString("latin1")).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const number = decimal(line);
      if (number === undefined) throw this.#noNumber();
      yield number;
    }
  }

  #noNumber(): Error {
    return this.#context.invalid("sparse-map", "its sparse map has a line that is no number");
  }
}

function paxRealSize(pax: PaxScope, context: TarContext): number {
  const size = decimal(pax.get("GNU.sparse.size") ?? pax.get("GNU.sparse.realsize") ?? "");
  if (size === undefined) throw context.invalid("sparse-map", "it is sparse, and its real size is no number");
  return size;
}

/**
 * Checks a map as Go does (`validateSparseEntries`): ascending, not overlapping, within the file; and that
 * exactly as many bytes are stored as it says.
 *
 * @returns its pieces, empty ones left out: GNU tar marks a hole at the end with one.
 */
export function checkedSegments(
  map: SparseMap,
  storedBytes: number,
  context: TarContext,
): readonly Segment[] {
  let end = 0;
  let total = 0;
  for (const { offset, length } of map.segments) {
    if (offset < end || length < 0)
      throw context.invalid("sparse-map", "its sparse map overlaps, or goes backwards");
    end = offset + length;
    total += length;
    if (end > map.realSize) throw context.invalid("sparse-map", "its sparse map runs past its size");
  }
  if (total !== storedBytes)
    throw context.invalid("sparse-map", `its sparse map has ${total} bytes, but ${storedBytes} are stored`);
  return map.segments.filter(({ length }) => length > 0);
}
