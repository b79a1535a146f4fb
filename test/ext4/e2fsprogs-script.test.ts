import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { utf8Bytes, type ByteString } from "../../src/base/bytes.ts";
import { hasReason } from "../../src/base/error.ts";
import { firstUnexpected } from "../../src/ext4/e2fsprogs/debugfs.ts";
import { encodeDevice } from "../../src/ext4/e2fsprogs/difference.ts";
import { mkfsArguments } from "../../src/ext4/e2fsprogs/mkfs.ts";
import { checkVersion, complaints } from "../../src/ext4/e2fsprogs/programs.ts";
import {
  encodeTime,
  enterDirectory,
  growDirectory,
  isEncodable,
  link,
  makeNode,
  quote,
  removeXattr,
  scriptBytes,
  setField,
  setTime,
  setXattr,
} from "../../src/ext4/e2fsprogs/script.ts";
import { bytesOf } from "./tree-layers.ts";

/** How debugfs takes a line apart (lib/ss/parse.c): blanks, and double quotes that are one where they are two. */
function words(line: string): string[] {
  const out: string[] = [];
  for (let at = 0; at < line.length;) {
    if (line[at] === " " || line[at] === "\t") {
      at += 1;
      continue;
    }
    let word = "";
    let quoted = false;
    for (; at < line.length; at++) {
      const char = line.charAt(at);
      if (char === '"' && quoted && line[at + 1] === '"') word += line.charAt(at++);
      else if (char === '"') quoted = !quoted;
      else if (!quoted && (char === " " || char === "\t")) break;
      else word += char;
    }
    assert.ok(!quoted, "unbalanced quotes");
    out.push(word);
  }
  return out;
}

test("commands, word for word", async (t) => {
  const table: readonly [string, string][] = [
    [setField(12, "mode", 0o100644), "sif <12> mode 33188"],
    [setField(12, "uid", 4_294_967_295), "sif <12> uid 4294967295"],
    [setField(12, "block[1]", 9), "sif <12> block[1] 9"],
    [setField(12, "mtime", 2 ** 31), "sif <12> mtime @2147483648"],
    [setField(12, "mtime_extra", 5), "sif <12> mtime_extra 5"],
    [enterDirectory(2), "cd <2>"],
    [growDirectory(14), "expand_dir <14>"],
    [makeNode(bytesOf("a b"), "fifo"), 'mknod "a b" p'],
    [makeNode(bytesOf('"'), "character"), 'mknod """" c 0 0'],
    [makeNode(bytesOf("<12>"), "block"), 'mknod "<12>" b 0 0'],
    [link(13, 2, bytesOf("x y")), 'ln <13> "<2>/x y"'],
    [link(bytesOf("<13>"), 2, bytesOf("<2>")), 'ln "./<13>" "<2>/<2>"'],
    [
      setXattr(13, bytesOf('user.a "b'), "/tmp/a b/value-0"),
      'ea_set -f "/tmp/a b/value-0" <13> "user.a ""b"',
    ],
    [removeXattr(13, bytesOf("security.selinux")), 'ea_rm <13> "security.selinux"'],
  ];
  for (const [found, expected] of table) await t.test(expected, () => assert.equal(found, expected));
});

const anyName = fc.uint8Array({ minLength: 1, maxLength: 255 }).map((bytes) =>
  bytesOf(
    Buffer.from(bytes)
      .toString("latin1")
      .replaceAll(/[\0\n\r/]/gu, "x"),
  ),
);

test("any name that can be encoded comes out of the command language as it went in", () => {
  fc.assert(
    fc.property(anyName, anyName, (name, other) => {
      assert.deepEqual(words(makeNode(name, "fifo")), ["mknod", name, "p"]);
      assert.deepEqual(words(link(name, 7, other)), ["ln", `./${name}`, `<7>/${other}`]);
      assert.ok(scriptBytes([makeNode(name, "fifo"), link(name, 7, other)]).length < 8190);
    }),
  );
});

test("what would end a line is refused, wherever it stands", () => {
  const refused = (action: () => unknown): void =>
    assert.throws(action, (error) => hasReason(error, "INTERNAL"));
  for (const name of ["a\nb", "\n", "a\rquit", "a\0"]) {
    assert.equal(isEncodable(name), false);
    refused(() => quote(name));
    refused(() => scriptBytes([`sif <12> ${name}`]));
  }
  // The tail of a line of more than 8,191 bytes would run as a command of its own.
  refused(() => scriptBytes([`cd ${"x".repeat(8190)}`]));
  assert.equal(scriptBytes(["cd <2>", "cd <3>"]).toString("latin1"), "cd <2>\ncd <3>\n");
});

test("times in the two words of the disk", async (t) => {
  const table: readonly [number, number, number, number][] = [
    [0, 0, 0, 0],
    [1, 999_999_999, 1, 3_999_999_996],
    [-1, 0, 0xffffffff, 0],
    [-(2 ** 31), 1, 0x80000000, 4],
    [2 ** 31 - 1, 0, 0x7fffffff, 0],
    [2 ** 31, 0, 0x80000000, 1],
    [2 ** 32, 2, 0, 9],
    [15_032_385_535, 999_999_999, 0x7fffffff, 0xee6b27ff],
  ];
  for (const [seconds, nanoseconds, word, extra] of table) {
    await t.test(`${seconds}.${nanoseconds}`, () =>
      assert.deepEqual(encodeTime({ seconds, nanoseconds }), { word, extra }),
    );
  }
});

test("the extra word of a time is set where it matters, and after the seconds", () => {
  const time = (seconds: number, nanoseconds: number) => ({ seconds, nanoseconds });
  const before = time(7, 0);
  assert.deepEqual(setTime(9, "ctime", time(5, 0), before), ["sif <9> ctime @5"]);
  assert.deepEqual(setTime(9, "ctime", time(5, 0), time(7, 1)), [
    "sif <9> ctime @5",
    "sif <9> ctime_extra 0",
  ]);
  assert.deepEqual(setTime(9, "ctime", time(5, 0), time(2 ** 32, 0)), [
    "sif <9> ctime @5",
    "sif <9> ctime_extra 0",
  ]);
  assert.deepEqual(setTime(9, "atime", time(5, 1), before), ["sif <9> atime @5", "sif <9> atime_extra 4"]);
  // From 1.47.1 on, debugfs takes a large number for a time past 2038.
  assert.deepEqual(setTime(9, "mtime", time(-1, 0), before), [
    "sif <9> mtime @4294967295",
    "sif <9> mtime_extra 0",
  ]);
  // The seconds may be right already, as staging sets them.
  assert.deepEqual(setTime(9, "mtime", time(7, 3), before), ["sif <9> mtime_extra 12"]);
  assert.deepEqual(setTime(9, "mtime", time(7 + 2 ** 32, 0), before), ["sif <9> mtime_extra 1"]);
});

test("device numbers in the two words of the disk", () => {
  assert.deepEqual(encodeDevice({ major: 1, minor: 3 }), [0x103, 0]);
  assert.deepEqual(encodeDevice({ major: 255, minor: 255 }), [0xffff, 0]);
  assert.deepEqual(encodeDevice({ major: 7, minor: 256 }), [0, 0x100700]);
  assert.deepEqual(encodeDevice({ major: 256, minor: 0 }), [0, 0x10000]);
  assert.deepEqual(encodeDevice({ major: 4095, minor: 1_048_575 }), [0, 0xffffffff]);
});

test("the output must be the commands, each echoed, and nothing else", async (t) => {
  const commands = ["cd <2>", 'mknod "a" p', "sif <12> mode 4516"].map((text) => ({
    text,
    subject: () => "/a",
  }));
  const right = 'debugfs: cd <2>\ndebugfs: mknod "a" p\nAllocated inode: 12\ndebugfs: sif <12> mode 4516\n';
  assert.equal(firstUnexpected(commands, right), undefined);
  assert.equal(firstUnexpected(commands, right.replace("Allocated inode: 12\n", "")), undefined);
  assert.equal(firstUnexpected([], ""), undefined);
  const table: readonly [what: string, output: string, command: number | undefined][] = [
    ["nothing", "", 0],
    ["the last is missing", right.replace(/debugfs: sif.*\n/u, ""), 2],
    ["the first is missing", right.replace("debugfs: cd <2>\n", ""), 0],
    ["one is garbled", right.replace("mode 4516", "mode 4517"), 2],
    ["an answer", right.replace("cd <2>\n", "cd <2>\nUsage: cd\n"), 0],
    ["an answer at the end", `${right}Usage: sif\n`, 2],
    ["another number", right.replace("inode: 12", "inode: x"), 1],
    ["one twice", right.replace("debugfs: cd <2>\n", "debugfs: cd <2>\ndebugfs: cd <2>\n"), 1],
    ["one too many", `${right}debugfs: quit\n`, undefined],
    ["cut off", right.slice(0, -1), 2],
  ];
  for (const [what, output, at] of table) {
    await t.test(what, () => {
      const found = firstUnexpected(commands, output);
      assert.ok(found !== undefined);
      assert.equal(found.command, at === undefined ? undefined : commands[at]);
    });
  }
});

test("versions", () => {
  for (const banner of [
    "mke2fs 1.43 (17-May-2016)",
    "debugfs 1.47.0 (5-Feb-2023)",
    "mke2fs 2.0-WIP (1-Jan-2030)",
  ])
    checkVersion("debugfs", `${banner}\n\tUsing EXT2FS Library version 1.47.0\n`);
  for (const banner of ["mke2fs 1.42.13 (17-May-2015)", "mke2fs 0.5b", "BusyBox v1.36.1", ""]) {
    assert.throws(
      () => checkVersion("mkfs.ext4", banner),
      (error) =>
        hasReason(error, "E2FSPROGS_TOO_OLD") && error.message.includes(banner.split(" (")[0] ?? "?"),
    );
  }
});

test("what a program says of itself is no complaint", () => {
  assert.equal(complaints(Buffer.from("mke2fs 1.47.0 (5-Feb-2023)\n")), "");
  assert.equal(
    complaints(Buffer.from("debugfs 1.47.0 (5-Feb-2023)\n<99>: File not found\n\nx: y\n")),
    "<99>: File not found; x: y",
  );
});

test("mkfs is told all that a default could decide", () => {
  const args = mkfsArguments({
    target: "/t/rootfs",
    staging: "/t/root",
    tempDir: "/t",
    geometry: { sizeBytes: 4096 * 20_000, blocks: 20_000, inodes: 500, journalMiB: 4 },
    uuid: "01234567-89ab-cdef-0123-456789abcdef",
    hashSeed: "fedcba98-7654-3210-fedc-ba9876543210",
  });
  const after = (flag: string): string | undefined => args[args.indexOf(flag) + 1];
  assert.equal(after("-b"), "4096");
  assert.equal(after("-I"), "256");
  assert.equal(after("-N"), "500");
  assert.equal(after("-J"), "size=4");
  assert.equal(after("-m"), "0");
  assert.equal(after("-E"), "root_owner=0:0,hash_seed=fedcba98-7654-3210-fedc-ba9876543210");
  assert.match(after("-O") ?? "", /^none,/u);
  assert.deepEqual(args.slice(-2), ["/t/rootfs", "20000"]);
});

test("names stay what they are from a JavaScript string to the script", () => {
  const name: ByteString = utf8Bytes("é");
  assert.deepEqual([...scriptBytes([makeNode(name, "fifo")])], [...Buffer.from('mknod "é" p\n')]);
});
