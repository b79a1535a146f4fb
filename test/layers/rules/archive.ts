import {
  end,
  entry,
  file,
  gnuLong,
  header,
  oldSparse,
  padded,
  pax,
  paxSparse,
  rawPax,
  tar,
  type SparsePiece,
} from "../tar-builder.ts";
import { by, keeps, refuses, type Rule } from "./rule.ts";

const time = { mtime: 1_000_000_000 };
const pieces: readonly SparsePiece[] = [
  { offset: 4096, content: "a".repeat(512) },
  { offset: 500_000, content: "b".repeat(512) },
];
const size = 1_000_000;
const make: Readonly<Record<string, (pieces: readonly SparsePiece[]) => Buffer>> = {
  "old GNU": (list) => oldSparse("s", size, list),
  "PAX 0.0": (list) => paxSparse("0.0", "s", size, list),
  "PAX 0.1": (list) => paxSparse("0.1", "s", size, list),
  "PAX 1.0": (list) => paxSparse("1.0", "s", size, list),
};
const wrong: Readonly<Record<string, readonly SparsePiece[]>> = {
  overlaps: [
    { offset: 0, content: "abc" },
    { offset: 2, content: "d" },
  ],
  "goes backwards": [
    { offset: 50, content: "abc" },
    { offset: 0, content: "d" },
  ],
  "runs past the size": [{ offset: size - 1, content: "ab" }],
};

/** As many empty pieces as one more than the limit. */
function longMap(): Buffer {
  const map = padded(`1000001\n${"0\n0\n".repeat(1_000_001)}`);
  const records = { major: "1", minor: "0", name: "s", realsize: "100" };
  const gnu = Object.fromEntries(Object.entries(records).map(([key, value]) => [`GNU.sparse.${key}`, value]));
  return tar(entry("GNUSparseFile.0/s", { pax: gnu, content: map }));
}

const cut = (archive: Buffer, bytes: number): readonly Buffer[] => [archive.subarray(0, bytes)];

export const archive: readonly Rule[] = [
  {
    text: "v7, ustar, GNU, star and PAX headers are read, in one archive too.",
    heldBy: [
      ...by("tar-formats", "every kind of entry comes out with its own fields", "name: v7 has no prefix"),
      ...by(
        "tar-formats",
        "name: star's prefix ends before its times",
        "name: GNU has times where the prefix would be",
      ),
      ...by("tar-formats", "archives of all formats in one are read as each by itself"),
    ],
    cases: [
      keeps([
        tar(
          file("v7", "1", { ...time, format: "v7", type: "\0" }),
          file("ustar", "2", { ...time, prefix: "p" }),
          gnuLong("g".repeat(150)),
          file("gnu", "3", { ...time, format: "gnu" }),
          file("star", "4", { ...time, format: "star", prefix: "p" }),
          file("x".repeat(150), "5", time),
          file("p", "", { ...time, type: "5", mode: 0o755 }),
        ),
      ]),
    ],
  },
  {
    text: "A PAX value wins over the header's, the size included.",
    heldBy: by("tar-formats", "a PAX value wins over the header's, size included"),
    cases: [
      keeps([tar(file("a", "12345", { ...time, uid: 1, pax: { uid: "9" } }))], { what: "an owner" }),
      keeps(
        [tar(file("a", "x".repeat(1025), { ...time, size: 3, pax: { size: "1025" } }), file("b", "", time))],
        {
          what: "a size",
        },
      ),
    ],
  },
  {
    text: "A global PAX header holds until the next; an entry's own wins over it.",
    heldBy: by("tar-formats", "a global PAX header holds until the next, and an entry's own wins"),
    cases: [
      keeps([
        tar(
          pax({ uid: "7", gid: "8" }, "g"),
          file("a", "", time),
          entry("b", { ...time, pax: { uid: "9" } }),
          pax({ gid: "5" }, "g"),
          file("c", "", time),
        ),
      ]),
    ],
  },
  {
    text: "Malformed PAX is refused, not skipped: skipping it is how readers come to disagree.",
    heldBy: by(
      "tar-refusals",
      "refused: PAX (x) with a length one too small",
      "refused: PAX (x) with no equals sign",
      "refused: PAX (x) with no newline",
      "refused: PAX (x) with a NUL in the path",
      "refused: PAX (g) with zeros after the last record",
    ),
    cases: Object.entries({
      "a wrong length": "8 path=x\n",
      "no `=`": "8 pathx\n",
      "no newline": "9 path=xy",
      "a NUL": "11 path=a\0\n",
      "zeros after it": "9 path=x\n\0\0\0",
    }).map(([what, body]) => refuses("pax-record", [tar(rawPax(body), header({ name: "n" }))], { what })),
  },
  {
    text: "A header with a wrong checksum is refused.",
    heldBy: by("tar-refusals", "refused: a wrong checksum", "refused: a second entry's wrong checksum"),
    cases: [refuses("header-checksum", [tar(file("a", "", time), header({ name: "n", checksum: 1 }))])],
  },
  {
    text: "Sparse files are read, old GNU with extension blocks, PAX 0.0, 0.1 and 1.0; holes stay holes.",
    heldBy: [
      ...by("sparse", "old GNU: a hole in the middle", "old GNU: more than fit into one extension"),
      ...by(
        "sparse",
        "PAX 0.0: a hole in the middle",
        "PAX 0.1: a hole in the middle",
        "PAX 1.0: a hole in the middle",
      ),
      ...by(
        "ext4/builders",
        "e2fsprogs: what is awkward reads back as it should",
        "direct: what is awkward reads back as it should",
      ),
    ],
    cases: Object.entries(make).map(([what, sparse]) => keeps([tar(sparse(pieces))], { what })),
  },
  {
    text: "A sparse map that overlaps, goes backwards or runs past the size is refused.",
    heldBy: by(
      "sparse",
      "old GNU: a map that overlaps is refused",
      "PAX 1.0: a map that goes backwards is refused",
      "PAX 0.1: a map that runs past the size is refused",
    ),
    cases: Object.entries(wrong).flatMap(([what, list]) =>
      ["old GNU", "PAX 1.0"].map((format) =>
        refuses("sparse-map", [tar(make[format]?.(list) ?? end)], { what: `${format} ${what}` }),
      ),
    ),
  },
  {
    text: "A sparse map's length is bounded.",
    heldBy: by(
      "sparse",
      "old GNU: the number of pieces is bounded",
      "PAX 1.0: the number of pieces is bounded",
      "a map of 1.0 that never ends is bounded by the content's size",
    ),
    cases: [refuses("limit-sparse-map", () => [longMap()])],
  },
  {
    text: "An archive ends at two zero blocks, or at the stream's end where an entry could begin.",
    heldBy: by("tar-formats", "the end: two zero blocks, one and the stream's end, or just the stream's end"),
    cases: [
      keeps([tar(file("a", "x", time))], { what: "two zero blocks" }),
      keeps([file("a", "x", time)], { what: "the stream's end" }),
      keeps([Buffer.concat([file("a", "x", time), end.subarray(512)])], {
        what: "one zero block and the stream's end",
      }),
      refuses("lone-zero-block", [Buffer.concat([end.subarray(512), file("a", "x", time)])], {
        what: "one zero block, then an entry",
      }),
    ],
  },
  {
    text: "The padding after the last file may be missing.",
    heldBy: by("tar-formats", "the last file's padding may be missing, or cut short"),
    cases: [keeps(cut(tar(file("a", "x", time)), 513))],
  },
  {
    text: "What follows the end counts for the diffID, and for nothing else.",
    heldBy: [
      ...by("tar-formats", "what follows the end is ignored"),
      ...by("scan", "a diffID may be a sha512, and covers what follows the archive's end"),
    ],
    cases: [keeps([Buffer.concat([tar(file("a", "x", time)), file("b", "", time), Buffer.from("junk")])])],
  },
  {
    text: "A header or body that is cut short is refused.",
    heldBy: by(
      "tar-refusals",
      "refused: a header cut short",
      "refused: a body cut short",
      "refused: PAX and then nothing",
    ),
    cases: [
      refuses("truncated", cut(tar(file("a", "x", time)), 300), { what: "a header" }),
      refuses("truncated", cut(tar(file("a", "x".repeat(900), time)), 1000), { what: "a body" }),
      refuses("truncated", [tar(pax({ path: "x" }))], { what: "PAX and nothing" }),
    ],
  },
];
