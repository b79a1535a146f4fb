import fc from "fast-check";
import type { LayerIndex } from "../../src/layers/layer-index.ts";
import {
  dir,
  fifo,
  file,
  hardlink,
  layer,
  opaque,
  symlink,
  whiteout,
  type Meta,
  type Part,
} from "./index-builder.ts";
import { naiveMerge, NaiveRefusal } from "./naive-merge.ts";

/** Few names and little depth, so that entries meet. */
const name = fc.constantFrom("a", "b", "c", "l");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const spelling = fc
  .tuple(fc.constantFrom("", "./", "/", "x/../"), path, fc.constantFrom("", "/"))
  .map((p) => p.join(""));

const target = fc
  .tuple(fc.constantFrom("", "/", "../", "../../", "./", "a/../", "/b/../", "../c/../"), path)
  .map((parts) => parts.join(""));

export interface RandomOptions {
  /** Owners that the one who runs the test may give away. */
  readonly owners: readonly number[];
  readonly xattrs: boolean;
}

function metaOf({ owners, xattrs }: RandomOptions): fc.Arbitrary<Meta> {
  return fc.record({
    mode: fc.constantFrom(0o755, 0o700, 0o644, 0o4711),
    uid: fc.constantFrom(...owners),
    gid: fc.constantFrom(...owners),
    mtime: fc.integer({ min: 1, max: 1_000_000 }),
    xattrs: xattrs ? fc.constantFrom({}, { "user.x": "1" }, { "user.y": "22" }) : fc.constant({}),
  });
}

function part(options: RandomOptions): fc.Arbitrary<Part> {
  const meta = metaOf(options);
  const content = fc.string({ maxLength: 3, unit: fc.constantFrom("p", "q") });
  return fc.oneof(
    { weight: 5, arbitrary: fc.tuple(spelling, content, meta).map((given) => file(...given)) },
    { weight: 4, arbitrary: fc.tuple(spelling, meta).map((given) => dir(...given)) },
    { weight: 4, arbitrary: fc.tuple(path, target, meta).map((given) => symlink(...given)) },
    { weight: 4, arbitrary: fc.tuple(path, spelling, meta).map((given) => hardlink(...given)) },
    { weight: 3, arbitrary: path.map(whiteout) },
    { weight: 2, arbitrary: fc.oneof(path, fc.constant("")).map(opaque) },
    { weight: 1, arbitrary: fc.tuple(path, meta).map((given) => fifo(...given)) },
    { weight: 1, arbitrary: meta.map((given) => dir("./", given)) },
  );
}

/** Up to four layers of up to ten entries; many of them are refused for a hard link to nothing. */
export function randomParts(options: RandomOptions): fc.Arbitrary<Part[][]> {
  return fc.array(fc.array(part(options), { maxLength: 10 }), { minLength: 1, maxLength: 4 });
}

export function layersOf(parts: readonly (readonly Part[])[]): LayerIndex[] {
  return parts.map((list) => layer(...list));
}

/** The same without the entries that are refused. */
export function withoutRefused(parts: readonly (readonly Part[])[]): Part[][] {
  const kept = parts.map((list) => [...list]);
  for (;;) {
    try {
      naiveMerge(layersOf(kept));
      return kept;
    } catch (error) {
      if (!(error instanceof NaiveRefusal)) throw error;
      kept[error.layer]?.splice(error.entry - 1, 1);
    }
  }
}

/** What a counterexample is shown as. */
export function shownParts(parts: readonly (readonly Part[])[]): string {
  const lines = parts.map((list) =>
    list.map((entry) => {
      const to = entry.kind === "hardlink" || entry.kind === "symlink" ? ` -> ${entry.target}` : "";
      return `${entry.kind} ${entry.path}${to}`;
    }),
  );
  return JSON.stringify(lines, undefined, 1);
}
