import assert from "node:assert/strict";
import { test } from "node:test";
import type { Segment } from "../../src/layers/layer-index.ts";
import { entry, file, header, oldSparse, octal, padded, paxSparse, sealed, tar } from "./tar-builder.ts";
import type { SparsePiece } from "./tar-builder.ts";
import { assertRefused, readTar } from "./read-tar.ts";

type Maker = (name: string, realSize: number, pieces: readonly SparsePiece[]) => Buffer;

/** GNU tar manual, "Storing Sparse Files"; Go archive/tar `readOldGNUSparseMap`, `readGNUSparseMap0x1`, `1x0`. */
const formats: Readonly<Record<string, Maker>> = {
  "old GNU": oldSparse,
  "PAX 0.0": (...args) => paxSparse("0.0", ...args),
  "PAX 0.1": (...args) => paxSparse("0.1", ...args),
  "PAX 1.0": (...args) => paxSparse("1.0", ...args),
};

function segmentsOf(pieces: readonly SparsePiece[]): Segment[] {
  return pieces
    .map(({ offset, content }) => ({ offset, length: content.length }))
    .filter(({ length }) => length > 0);
}

function manyPieces(count: number): SparsePiece[] {
  return Array.from({ length: count }, (_, i) => ({
    offset: i * 1024,
    content: String.fromCharCode(97 + (i % 26)).repeat(512),
  }));
}

const shapes: readonly [what: string, realSize: number, pieces: readonly SparsePiece[]][] = [
  [
    "a hole in the middle",
    10_000,
    [
      { offset: 0, content: "a".repeat(512) },
      { offset: 9000, content: "end" },
    ],
  ],
  [
    "a hole at the end, marked by an empty piece",
    1 << 30,
    [
      { offset: 512, content: "x".repeat(512) },
      { offset: 1 << 30, content: "" },
    ],
  ],
  ["nothing but a hole", 4096, []],
  ["nothing but a hole, with an empty piece", 4096, [{ offset: 4096, content: "" }]],
  [
    "pieces that touch",
    6,
    [
      { offset: 0, content: "abc" },
      { offset: 3, content: "def" },
    ],
  ],
  ["one more piece than fit into the header", 100_000, manyPieces(5)],
  ["as many as fit into one extension", 100_000, manyPieces(25)],
  ["more than fit into one extension", 1_000_000, manyPieces(26)],
  ["a map that spans many blocks", 10_000_000, manyPieces(900)],
];

for (const [format, make] of Object.entries(formats)) {
  for (const [what, realSize, pieces] of shapes) {
    test(`${format}: ${what}`, () => {
      const archive = tar(make("s", realSize, pieces), file("after", "x"));
      const { entries, contents } = readTar(archive);
      const [sparse, after] = entries;
      assert.ok(sparse?.kind === "file" && after?.kind === "file");
      const stored = pieces.map(({ content }) => content.toString()).join("");
      assert.equal(sparse.path, "s");
      assert.equal(sparse.size, realSize);
      assert.deepEqual(sparse.segments, segmentsOf(pieces));
      assert.equal(sparse.storedBytes, stored.length);
      assert.equal(archive.toString("latin1", sparse.offset, sparse.offset + stored.length), stored);
      assert.equal(contents.get(1)?.toString() ?? "", stored);
      assert.equal(contents.get(2)?.toString(), "x");
    });
  }

  const wrong: readonly [what: string, realSize: number, pieces: readonly SparsePiece[]][] = [
    [
      "overlaps",
      100,
      [
        { offset: 0, content: "abc" },
        { offset: 2, content: "d" },
      ],
    ],
    [
      "goes backwards",
      100,
      [
        { offset: 50, content: "abc" },
        { offset: 0, content: "d" },
      ],
    ],
    ["runs past the size", 100, [{ offset: 99, content: "ab" }]],
    [
      "begins past the size",
      100,
      [
        { offset: 101, content: "" },
        { offset: 101, content: "" },
      ],
    ],
  ];
  for (const [what, realSize, pieces] of wrong) {
    test(`${format}: a map that ${what} is refused`, () => {
      assertRefused(tar(make("s", realSize, pieces)), {
        reason: "LAYER_INVALID",
        rule: "sparse-map",
        name: "s",
      });
    });
  }

  test(`${format}: the number of pieces is bounded`, () => {
    const archive = tar(make("s", 100_000, manyPieces(30)));
    readTar(archive, { sparseSegments: 30 });
    assertRefused(archive, { reason: "LIMIT_SPARSE_MAP", rule: "limit-sparse-map" }, { sparseSegments: 29 });
  });
}

function sparse1(map: string, records: Readonly<Record<string, string>> = {}, content = ""): Buffer {
  const pax = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "100", ...records };
  return entry("s", { pax, content: Buffer.concat([padded(map), Buffer.from(content)]) });
}

const v0 = { "GNU.sparse.size": "100", "GNU.sparse.numblocks": "1", "GNU.sparse.map": "0,1" };

const refused: Readonly<Record<string, Buffer>> = {
  "1.0 whose map is no number": sparse1("1\n0\nx\n", {}, "a"),
  "1.0 whose map is negative": sparse1("1\n0\n-1\n", {}, "a"),
  "1.0 whose map is longer than the content": sparse1("9\n0\n1\n", {}, "a"),
  "1.0 without a map": entry("s", {
    pax: { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" },
  }),
  "1.0 without a real size": sparse1("0\n", { "GNU.sparse.realsize": "" }),
  "1.0 that stores more than its map says": sparse1("1\n0\n1\n", {}, "ab"),
  "1.0 that stores less than its map says": sparse1("1\n0\n2\n", {}, "a"),
  "a version that is not known": sparse1("0\n", { "GNU.sparse.minor": "1" }),
  "half a version": entry("s", { pax: { "GNU.sparse.major": "1" } }),
  "a sparse file's name alone": entry("n", { pax: { "GNU.sparse.name": "s" } }),
  "a sparse file's real size alone": entry("s", { pax: { "GNU.sparse.realsize": "100" } }),
  "a sparse directory": entry("s", { type: "5", pax: { "GNU.sparse.size": "1" } }),
  "0.1 with another number of pieces": entry("s", {
    content: "a",
    pax: { ...v0, "GNU.sparse.numblocks": "2" },
  }),
  "0.1 with half a piece": entry("s", { content: "a", pax: { ...v0, "GNU.sparse.map": "0,1,2" } }),
  "0.1 with something that is no number": entry("s", {
    content: "a",
    pax: { ...v0, "GNU.sparse.map": "0,1x" },
  }),
  "0.1 without a real size": entry("s", { content: "a", pax: { ...v0, "GNU.sparse.size": "" } }),
  "0.1 that stores more than its map says": entry("s", { content: "ab", pax: v0 }),
  "old GNU in a ustar header": header({ name: "s", type: "S" }),
  "old GNU with a number that is none": header({
    name: "s",
    type: "S",
    format: "gnu",
    patches: [
      { at: 386, bytes: "x" },
      { at: 398, bytes: "1" },
    ],
  }),
  "old GNU with a PAX map": tar(entry("s", { type: "S", format: "gnu", pax: v0 })),
};

for (const [what, archive] of Object.entries(refused)) {
  test(`refused: ${what}`, () => {
    assertRefused(tar(archive), { reason: "LAYER_INVALID", rule: "sparse-map", name: "s" });
  });
}

for (const [what, records] of Object.entries({
  "an offset without its length": [["GNU.sparse.offset", "0"]],
  "a length before its offset": [["GNU.sparse.numbytes", "0"]],
  "two offsets in a row": [
    ["GNU.sparse.offset", "0"],
    ["GNU.sparse.offset", "0"],
  ],
  "an offset that is no number": [
    ["GNU.sparse.offset", "-1"],
    ["GNU.sparse.numbytes", "0"],
  ],
  "two maps": [
    ["GNU.sparse.offset", "0"],
    ["GNU.sparse.numbytes", "0"],
    ["GNU.sparse.map", "0,0"],
  ],
} satisfies Record<string, [string, string][]>)) {
  test(`refused: 0.0 with ${what}`, () => {
    const pax = [["GNU.sparse.size", "9"] as const, ...records];
    assertRefused(tar(entry("s", { pax })), { reason: "LAYER_INVALID", rule: "pax-record" });
  });
}

test("an old GNU extension block that is missing is a cut", () => {
  const patches = [
    { at: 482, bytes: "\x01" },
    { at: 483, bytes: octal(9, 12) },
  ];
  const block = header({ name: "s", type: "S", format: "gnu", patches });
  assertRefused(block, { reason: "LAYER_INVALID", rule: "truncated", name: "s" });
});

test("a map of 1.0 that never ends is bounded by the content's size", () => {
  const archive = sparse1("1".repeat(300), {}, "x".repeat(2048));
  assertRefused(tar(archive), { reason: "LAYER_INVALID", rule: "sparse-map" });
});

test("the builder's own seal is what makes a patched header right", () => {
  const block = header({ name: "n" });
  block[0] = 0x6d;
  assertRefused(Buffer.from(block), { reason: "LAYER_INVALID", rule: "header-checksum" });
  assert.equal(readTar(sealed(block)).entries[0]?.path, "m");
});
