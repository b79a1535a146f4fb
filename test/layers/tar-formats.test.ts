import assert from "node:assert/strict";
import { test } from "node:test";
import {
  base256,
  device,
  dir,
  end,
  entry,
  fifo,
  file,
  gnuLong,
  hardlink,
  header,
  padded,
  pax,
  sealed,
  symlink,
  tar,
} from "./tar-builder.ts";
import { readOne, readTar } from "./read-tar.ts";

test("every kind of entry comes out with its own fields", () => {
  const archive = tar(
    dir("d/", { mode: 0o1755, uid: 1, gid: 2, mtime: 1_700_000_000 }),
    file("d/f", "hello", { mode: 0o104755 }),
    symlink("d/s", "../t"),
    hardlink("d/h", "d/f"),
    device("d/c", "character", 1, 3),
    device("d/b", "block", 4095, 1_048_575),
    fifo("d/p"),
  );
  const { entries, contents } = readTar(archive);
  assert.deepEqual(
    entries.map(({ number, kind, path }) => [number, kind, path]),
    [
      [1, "directory", "d/"],
      [2, "file", "d/f"],
      [3, "symlink", "d/s"],
      [4, "hardlink", "d/h"],
      [5, "character", "d/c"],
      [6, "block", "d/b"],
      [7, "fifo", "d/p"],
    ],
  );
  const [d, f, s, h, c, b] = entries;
  assert.deepEqual(d?.mtime, { seconds: 1_700_000_000, nanoseconds: 0 });
  assert.deepEqual([d?.mode, d?.uid, d?.gid], [0o1755, 1, 2]);
  assert.equal(f?.mode, 0o4755, "type bits in the mode are ignored");
  assert.ok(f?.kind === "file");
  assert.deepEqual([f.size, f.storedBytes, f.offset, f.segments], [5, 5, 1024, undefined]);
  assert.equal(archive.toString("latin1", f.offset, f.offset + 5), "hello");
  assert.ok(s?.kind === "symlink" && s.target === "../t");
  assert.ok(h?.kind === "hardlink" && h.target === "d/f");
  assert.ok(c?.kind === "character" && c.major === 1 && c.minor === 3);
  assert.ok(b?.kind === "block" && b.major === 4095 && b.minor === 1_048_575);
  assert.equal(contents.get(2)?.toString(), "hello");
});

const prefixed = "p".repeat(40);

/** Where the name comes from, by format. Sources: POSIX pax; GNU tar `read_header`; Go `readHeader`. */
const names: readonly [what: string, archive: Buffer, name: string][] = [
  ["ustar joins prefix and name", header({ name: "n", prefix: prefixed }), `${prefixed}/n`],
  [
    "ustar uses all 155 bytes of prefix",
    header({ name: "n", prefix: "p".repeat(155) }),
    `${"p".repeat(155)}/n`,
  ],
  ["v7 has no prefix", header({ name: "n", prefix: prefixed, format: "v7" }), "n"],
  ["GNU has times where the prefix would be", header({ name: "n", prefix: prefixed, format: "gnu" }), "n"],
  [
    "star's prefix ends before its times",
    header({
      name: "n",
      prefix: "p".repeat(131),
      format: "star",
      patches: [{ at: 476, bytes: "x".repeat(24) }],
    }),
    `${"p".repeat(131)}/n`,
  ],
  [
    "star without a trailer is known by its times",
    header({
      name: "n",
      prefix: prefixed,
      patches: [{ at: 476, bytes: `${"1".repeat(11)} ${"2".repeat(11)} ` }],
    }),
    `${prefixed}/n`,
  ],
  ["100 bytes of name need no NUL", header({ name: "n".repeat(100) }), "n".repeat(100)],
  ["what follows a NUL is no name", header({ name: "n\0junk" }), "n"],
  ["a GNU long name", Buffer.concat([gnuLong("l".repeat(300)), header({ name: "short" })]), "l".repeat(300)],
  ["of two GNU long names the last", Buffer.concat([gnuLong("a"), gnuLong("b"), header({ name: "n" })]), "b"],
  [
    "a GNU long name without its NUL",
    Buffer.concat([header({ name: "x", type: "L", size: 3 }), padded("abc"), header({ name: "n" })]),
    "abc",
  ],
  ["a PAX path", entry("n", { pax: { path: "pax" } }), "pax"],
  ["a PAX path over a prefix", entry("n", { prefix: "p", pax: { path: "pax" } }), "pax"],
  [
    "an equal GNU long name and PAX path",
    Buffer.concat([gnuLong("a"), entry("n", { pax: { path: "a" } })]),
    "a",
  ],
  ["an empty PAX path takes nothing away", entry("n", { pax: { path: "" } }), "n"],
  [
    "of two PAX paths in one header the last",
    entry("n", {
      pax: [
        ["path", "a"],
        ["path", "b"],
      ],
    }),
    "b",
  ],
  ["bytes that are not UTF-8", entry('\xff\xfe\n"<12>'), '\xff\xfe\n"<12>'],
  ["bytes that are not UTF-8 in PAX", entry("n", { pax: { path: "\xff\n=\xc0" } }), "\xff\n=\xc0"],
];

for (const [what, archive, name] of names) {
  test(`name: ${what}`, () => assert.equal(readOne(tar(archive)).path, name));
}

/** Go `parseNumeric`, GNU tar `from_header`. */
const numbers: readonly [what: string, uid: number | string | Buffer, value: number][] = [
  ["octal with a NUL", "0000144\0", 100],
  ["octal with a space", "0000144 ", 100],
  ["octal that fills the field", "00000144", 100],
  ["leading spaces", "    144\0", 100],
  ["space and NUL", "000144 \0", 100],
  ["anything after a NUL", "144\0junk", 100],
  ["blank", "        ", 0],
  ["empty", "", 0],
  ["base-256", base256(4_294_967_295, 8), 4_294_967_295],
  ["base-256 of a small number", base256(7, 8), 7],
];

for (const [what, uid, value] of numbers) {
  test(`number: ${what}`, () => assert.equal(readOne(tar(header({ name: "n", uid }))).uid, value));
}

const times: readonly [what: string, archive: Buffer, seconds: number, nanoseconds: number][] = [
  ["octal", header({ name: "n", mtime: 1_700_000_000 }), 1_700_000_000, 0],
  ["base-256 negative", header({ name: "n", mtime: base256(-1, 12) }), -1, 0],
  ["base-256 far", header({ name: "n", mtime: base256(2 ** 40, 12) }), 2 ** 40, 0],
  [
    "PAX nanoseconds",
    entry("n", { mtime: 5, pax: { mtime: "1700000000.123456789" } }),
    1_700_000_000,
    123_456_789,
  ],
  ["PAX whole", entry("n", { pax: { mtime: "12" } }), 12, 0],
  ["PAX few digits", entry("n", { pax: { mtime: "12.5" } }), 12, 500_000_000],
  ["PAX no digits after the point", entry("n", { pax: { mtime: "12." } }), 12, 0],
  ["PAX more than nine digits", entry("n", { pax: { mtime: "12.1234567899" } }), 12, 123_456_789],
  ["PAX negative is rounded down", entry("n", { pax: { mtime: "-1.25" } }), -2, 750_000_000],
  ["PAX just below zero", entry("n", { pax: { mtime: "-0.000000001" } }), -1, 999_999_999],
  ["PAX negative zero", entry("n", { pax: { mtime: "-0" } }), 0, 0],
];

for (const [what, archive, seconds, nanoseconds] of times) {
  test(`mtime: ${what}`, () => assert.deepEqual(readOne(tar(archive)).mtime, { seconds, nanoseconds }));
}

test("a PAX value wins over the header's, size included", () => {
  const fields = { uid: 1, gid: 1, size: 3, pax: { uid: "4294967295", gid: "0", size: "1025" } };
  const first = entry("a", { ...fields, content: "x".repeat(1025) });
  const { entries, contents } = readTar(tar(first, file("b", "next")));
  assert.deepEqual([entries[0]?.uid, entries[0]?.gid], [4_294_967_295, 0]);
  assert.equal(contents.get(1)?.length, 1025);
  assert.equal(contents.get(2)?.toString(), "next");
});

test("names of owners never override their numbers", () => {
  const named = {
    uid: 5,
    gid: 6,
    patches: [
      { at: 265, bytes: "root" },
      { at: 297, bytes: "wheel" },
    ],
  };
  const { entries } = readTar(
    tar(file("header", "", named), file("pax", "", { ...named, pax: { uname: "daemon", gname: "daemon" } })),
  );
  assert.deepEqual(
    entries.map(({ uid, gid }) => [uid, gid]),
    [
      [5, 6],
      [5, 6],
    ],
  );
});

test("archives of all formats in one are read as each by itself", () => {
  const owner = { uid: 7, mtime: 1_700_000_000 };
  const each = [
    file("v7", "1", { ...owner, format: "v7", type: "\0" }),
    file("ustar", "22", { ...owner, prefix: "p" }),
    Buffer.concat([gnuLong("g".repeat(150)), file("gnu", "333", { ...owner, format: "gnu" })]),
    file("star", "4444", { ...owner, format: "star", prefix: "p" }),
    file("x".repeat(150), "55555", owner),
  ];
  const sizes: number[] = [];
  const shown = ({ path, kind, uid, mtime, ...rest }: ReturnType<typeof readOne>): unknown => {
    if ("size" in rest) sizes.push(rest.size);
    return { path, kind, uid, mtime };
  };
  assert.deepEqual(
    readTar(tar(...each, ...each)).entries.map(shown),
    [...each, ...each].map((part) => shown(readOne(tar(part)))),
  );
  assert.deepEqual(sizes.slice(0, 10), [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
  assert.deepEqual(sizes.slice(10), sizes.slice(0, 10));
});

test("a global PAX header holds until the next, and an entry's own wins", () => {
  const archive = tar(
    pax({ uid: "7", gid: "8" }, "g"),
    file("a"),
    entry("b", { pax: { uid: "9" } }),
    entry("c", { uid: 3, pax: { uid: "" } }),
    pax({ gid: "5" }, "g"),
    file("d"),
    pax({ comment: "the last thing in an archive may be global" }, "g"),
  );
  const owners = readTar(archive).entries.map(({ path, uid, gid }) => [path, uid, gid]);
  assert.deepEqual(owners, [
    ["a", 7, 8],
    ["b", 9, 8],
    ["c", 3, 8],
    ["d", 0, 5],
  ]);
});

test("link targets: long ones from GNU and PAX, any bytes", () => {
  const long = "t".repeat(4095);
  const gnu = Buffer.concat([gnuLong(long, "K"), header({ name: "a", type: "2", linkName: "short" })]);
  const { entries } = readTar(
    tar(gnu, symlink("b", long), symlink("c", "\xff\n"), hardlink("d", `/${"t".repeat(300)}`)),
  );
  assert.deepEqual(
    entries.map((link) => (link.kind === "symlink" || link.kind === "hardlink" ? link.target : undefined)),
    [long, long, "\xff\n", `/${"t".repeat(300)}`],
  );
});

test("PAX before a GNU long name still belongs to the entry, and not to the long name's header", () => {
  const archive = tar(
    pax({ size: "5" }),
    gnuLong("long"),
    header({ name: "n" }),
    padded("12345"),
    file("b", "x"),
  );
  const { entries, contents } = readTar(archive);
  assert.deepEqual(
    entries.map(({ path }) => path),
    ["long", "b"],
  );
  assert.equal(contents.get(1)?.toString(), "12345");
});

test("an old-style file whose name ends in a slash is a directory, one of type 0 is a file (Go, containerd)", () => {
  assert.equal(readOne(tar(header({ name: "d/", type: "\0", format: "v7" }))).kind, "directory");
  assert.equal(readOne(tar(header({ name: "d/", type: "0" }))).kind, "file");
  assert.equal(readOne(tar(header({ name: "f", type: "\0", format: "v7" }))).kind, "file");
});

test("contiguous files are files", () => {
  assert.equal(readOne(tar(file("f", "x", { type: "7" }))).kind, "file");
});

test("entries without content have no body, whatever their size says (Go, libarchive)", () => {
  for (const type of ["1", "2", "3", "4", "5", "6"]) {
    const first = header({ name: "a", type, size: 5000, linkName: "t" });
    assert.equal(
      readTar(tar(first, file("b", "x")))
        .contents.get(2)
        ?.toString(),
      "x",
      type,
    );
    const byPax = entry("a", { type, linkName: "t", pax: { size: "5000" } });
    assert.equal(
      readTar(tar(byPax, file("b", "x")))
        .contents.get(2)
        ?.toString(),
      "x",
      type,
    );
  }
});

test("a checksum of signed bytes is accepted (old writers), and so are six digits, NUL, space", () => {
  const block = header({ name: "\xe9\xe9" });
  let sum = 0;
  for (const [i, byte] of block.entries()) sum += i >= 148 && i < 156 ? 0x20 : byte > 127 ? byte - 256 : byte;
  assert.equal(readOne(tar(sealed(Buffer.from(block), sum))).path, "\xe9\xe9");
  assert.equal(readOne(tar(header({ name: "n", checksum: `${checksumOf("n")}\0 ` }))).path, "n");
});

function checksumOf(name: string): string {
  return header({ name }).toString("latin1", 149, 155);
}

test("the end: two zero blocks, one and the stream's end, or just the stream's end", () => {
  const one = file("a", "x");
  for (const tail of [end, end.subarray(512), Buffer.alloc(0), Buffer.alloc(10_240)]) {
    assert.equal(readTar(Buffer.concat([one, tail])).entries.length, 1);
  }
  assert.equal(readTar(Buffer.alloc(0)).entries.length, 0);
  assert.equal(readTar(end).entries.length, 0);
});

test("the last file's padding may be missing, or cut short", () => {
  const whole = file("a", "x");
  for (const bytes of [513, 514, 1023]) {
    const { entries } = readTar(Buffer.concat([file("b", "y"), whole.subarray(0, bytes)]));
    assert.deepEqual(
      entries.map(({ path }) => path),
      ["b", "a"],
    );
  }
});

test("what follows the end is ignored", () => {
  assert.equal(readTar(Buffer.concat([tar(file("a")), file("b"), Buffer.from("junk")])).entries.length, 1);
});
