import { file, header, octal, oldSparse, padded, pax, paxSparse, tar } from "../layers/tar-builder.ts";
import { archives, gzipped, hostileCase, type CaseMaker, type HostileLayer } from "./hostile-case.ts";

const GiB = 2 ** 30;
const TiB = 2 ** 40;

/** A file with a map of PAX 0.1, as it is written. */
function mapped(map: string, size: string, content = "", more: Record<string, string> = {}): Buffer {
  const records = { "GNU.sparse.size": size, "GNU.sparse.map": map, ...more };
  return tar(pax(records), file("s", content));
}

/** The same of PAX 1.0: the map stands before the content. */
function mapBlocks(map: string, realSize: string, content = ""): Buffer {
  const records = {
    "GNU.sparse.major": "1",
    "GNU.sparse.minor": "0",
    "GNU.sparse.name": "s",
    "GNU.sparse.realsize": realSize,
  };
  return tar(pax(records), file("g", Buffer.concat([padded(map), Buffer.from(content)])));
}

/** GNU's old format, the numbers as they are written. */
function oldMap(numbers: readonly (number | string)[], realSize: number | string, content = ""): Buffer {
  const map = numbers.map((number) => (typeof number === "string" ? number : octal(number, 12))).join("");
  const size = typeof realSize === "string" ? realSize : octal(realSize, 12);
  const patches = [
    { at: 386, bytes: map },
    { at: 483, bytes: size },
  ];
  return tar(header({ name: "s", type: "S", format: "gnu", size: content.length, patches }), padded(content));
}

function pieces(count: number): { offset: number; content: string }[] {
  return Array.from({ length: count }, (_, i) => ({ offset: i * 8192, content: "s" }));
}

type Table = Readonly<Record<string, readonly [expect: string, make: () => Buffer]>>;

/** After Go's `TestReadOldGNUSparseMap`, `TestReadGNUSparsePAXHeaders` and `sparse_entries` tables. */
const table: Table = {
  "0.1: overlapping": ["sparse-map", () => mapped("0,10,5,10", "100", "x".repeat(20))],
  "0.1: backwards": ["sparse-map", () => mapped("50,10,0,10", "100", "x".repeat(20))],
  "0.1: past the end": ["sparse-map", () => mapped("95,10", "100", "x".repeat(10))],
  "0.1: a sum past 2^53": [
    "sparse-map",
    () => mapped("9007199254740991,9007199254740991", "9007199254740991", "x"),
  ],
  "0.1: a negative offset": ["sparse-map", () => mapped("-1,10", "100", "x".repeat(10))],
  "0.1: letters": ["sparse-map", () => mapped("a,b", "100")],
  "0.1: an odd count": ["sparse-map", () => mapped("0,10,20", "100", "x".repeat(10))],
  "0.1: commas alone": ["sparse-map", () => mapped(",,,", "100")],
  "0.1: a blank": ["sparse-map", () => mapped("0, 1", "100", "x")],
  "0.1: another count than it says": [
    "sparse-map",
    () => mapped("0,1", "100", "x", { "GNU.sparse.numblocks": "7" }),
  ],
  "0.1: more stored than mapped": ["sparse-map", () => mapped("0,1", "100", "xy")],
  "0.1: less stored than mapped": ["sparse-map", () => mapped("0,3", "100", "xy")],
  "0.1: no size": ["sparse-map", () => tar(pax({ "GNU.sparse.map": "0,1" }), file("s", "x"))],
  "0.1: a size of letters": ["sparse-map", () => mapped("0,1", "big", "x")],
  "0.1: empty pieces in a row": ["accepted", () => mapped("0,0,0,0,10,0,10,1,100,0", "100", "x")],
  "0.1: no pieces": ["accepted", () => tar(pax({ "GNU.sparse.size": "1000000" }), file("s"))],
  "0.1: on a directory": [
    "sparse-map",
    () => tar(pax({ "GNU.sparse.size": "10", "GNU.sparse.map": "0,1" }), header({ name: "d/", type: "5" })),
  ],
  "0.1: on a symlink": [
    "sparse-map",
    () => tar(pax({ "GNU.sparse.size": "10" }), header({ name: "l", type: "2", linkName: "x" })),
  ],
  "0.1: a name that climbs": [
    "path-escapes-root",
    () => mapped("0,1", "10", "x", { "GNU.sparse.name": "../../s" }),
  ],
  "0.0: numbytes first": [
    "pax-record",
    () =>
      tar(
        pax([
          ["GNU.sparse.size", "10"],
          ["GNU.sparse.numbytes", "1"],
          ["GNU.sparse.offset", "0"],
        ]),
        file("s", "x"),
      ),
  ],
  "0.0: an offset alone": [
    "pax-record",
    () =>
      tar(
        pax([
          ["GNU.sparse.size", "10"],
          ["GNU.sparse.offset", "0"],
        ]),
        file("s", "x"),
      ),
  ],
  "0.0 and 0.1 at once": [
    "pax-record",
    () =>
      tar(
        pax([
          ["GNU.sparse.size", "10"],
          ["GNU.sparse.offset", "0"],
          ["GNU.sparse.numbytes", "1"],
          ["GNU.sparse.map", "5,1"],
        ]),
        file("s", "x"),
      ),
  ],
  "0.0: 10,000 pieces": ["accepted", () => tar(paxSparse("0.0", "s", 10_000 * 8192, pieces(10_000)))],
  "1.0: overlapping": ["sparse-map", () => mapBlocks("2\n0\n10\n5\n10\n", "100", "x".repeat(20))],
  "1.0: a count of 10^15": ["limit-sparse-map", () => mapBlocks("1000000000000000\n", "100")],
  "1.0: a count of 10^30": ["sparse-map", () => mapBlocks("1000000000000000000000000000000\n", "100")],
  "1.0: a negative count": ["sparse-map", () => mapBlocks("-1\n", "100")],
  "1.0: no count": ["sparse-map", () => mapBlocks("\n0\n1\n", "100", "x")],
  "1.0: a map of NULs": ["sparse-map", () => mapBlocks("\0".repeat(512), "100")],
  "1.0: a map longer than the content": ["sparse-map", () => mapBlocks("100\n0\n1\n", "100", "x")],
  "1.0: no content at all": [
    "sparse-map",
    () =>
      tar(pax({ "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "5" }), file("s")),
  ],
  "1.0: CRLF": ["sparse-map", () => mapBlocks("1\r\n0\r\n1\r\n", "100", "x")],
  "1.0: 10,000 pieces": ["accepted", () => tar(paxSparse("1.0", "s", 10_000 * 8192, pieces(10_000)))],
  "1.0: a pieceless file": ["accepted", () => mapBlocks("0\n", "123456")],
  "2.0": [
    "sparse-map",
    () =>
      tar(
        pax({ "GNU.sparse.major": "2", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "5" }),
        file("s", "x"),
      ),
  ],
  "a name alone": ["sparse-map", () => tar(pax({ "GNU.sparse.name": "other" }), file("s", "x"))],
  "old: overlapping": ["sparse-map", () => oldMap([0, 10, 5, 10], 100, "x".repeat(20))],
  "old: backwards": ["sparse-map", () => oldMap([50, 10, 0, 10], 100, "x".repeat(20))],
  "old: past the end": ["sparse-map", () => oldMap([95, 10], 100, "x".repeat(10))],
  "old: letters": ["sparse-map", () => oldMap(["offset......", "length......"], 100)],
  "old: a negative offset": ["sparse-map", () => oldMap([`\xff${"\xff".repeat(11)}`, 1], 100, "x")],
  "old: a negative size": ["sparse-map", () => oldMap([0, 1], "\xff".repeat(12), "x")],
  "old: a size of letters": ["sparse-map", () => oldMap([0, 1], "enormous....", "x")],
  "old: less stored than mapped": ["sparse-map", () => oldMap([0, 100], 100, "x")],
  "old: in a ustar header": ["sparse-map", () => tar(header({ name: "s", type: "S", size: 0 }))],
  "old and PAX at once": [
    "sparse-map",
    () => Buffer.concat([pax({ "GNU.sparse.size": "10", "GNU.sparse.map": "0,1" }), oldMap([0, 1], 10, "x")]),
  ],
  "old: an extension that never comes": [
    "truncated",
    () =>
      header({
        name: "s",
        type: "S",
        format: "gnu",
        patches: [
          { at: 482, bytes: "\x01" },
          { at: 483, bytes: octal(10, 12) },
        ],
      }),
  ],
  "old: extensions of nothing": ["accepted", () => blankExtensions(2000)],
  "old: 5,000 pieces": ["accepted", () => tar(oldSparse("s", 5000 * 8192, pieces(5000)))],
};

/** Extension blocks that hold no piece, each announcing one more. */
function blankExtensions(count: number): Buffer {
  const patches = [
    { at: 482, bytes: "\x01" },
    { at: 483, bytes: octal(1000, 12) },
  ];
  const more = Buffer.alloc(512);
  more[504] = 1;
  return tar(
    header({ name: "s", type: "S", format: "gnu", patches }),
    ...Array.from({ length: count }, () => more),
    Buffer.alloc(512),
  );
}

/** Sizes of which nothing is stored: cheap to claim, and the image must not pay for them. */
const giants: Readonly<Record<string, readonly [expect: string, make: () => readonly HostileLayer[]]>> = {
  "5 GiB with a byte at its end": [
    "accepted",
    () => archives(tar(paxSparse("1.0", "s", 5 * GiB, [{ offset: 5 * GiB - 1, content: "x" }]))),
  ],
  "16 TiB less a block": [
    "accepted",
    () => archives(tar(paxSparse("0.1", "s", 16 * TiB - 4096, [{ offset: 16 * TiB - 8192, content: "x" }]))),
  ],
  "16 TiB": [
    "file-too-large",
    () => archives(tar(paxSparse("0.1", "s", 16 * TiB, [{ offset: 0, content: "x" }]))),
  ],
  "2^53 - 1 bytes of nothing": [
    "file-too-large",
    () => archives(tar(pax({ "GNU.sparse.size": "9007199254740991" }), file("s"))),
  ],
  "a hundred files of 1 TiB": [
    "accepted",
    () => archives(tar(...Array.from({ length: 100 }, (_, i) => paxSparse("0.1", `s${i}`, TiB, [])))),
  ],
  "20 MB of map without one newline": ["sparse-map", () => gzipped(mapBlocks("1".repeat(20_000_000), "100"))],
  "20 MB of NULs for a map": ["sparse-map", () => gzipped(mapBlocks("\0".repeat(20_000_000), "100"))],
  "1,000,001 pieces": [
    "limit-sparse-map",
    () => gzipped(mapBlocks(`1000001\n${"0\n0\n".repeat(1_000_001)}`, "100")),
  ],
  "two files of 600,000 pieces each": [
    "limit-sparse-map",
    () => {
      const map = mapBlocks(`600000\n${"0\n0\n".repeat(600_000)}`, "100");
      return gzipped(Buffer.concat([map.subarray(0, -1024), map]));
    },
  ],
  "200,000 empty pieces": [
    "accepted",
    () => gzipped(mapBlocks(`200000\n${"0\n0\n".repeat(200_000)}`, "100")),
  ],
};

export const sparseCases: readonly CaseMaker[] = [
  ...Object.entries(table).map(([name, [expect, make]]) =>
    hostileCase(`sparse ${name}`, expect, () => archives(make())),
  ),
  ...Object.entries(giants).map(([name, [expect, make]]) =>
    hostileCase(`sparse ${name}`, expect, make, "alone"),
  ),
];
