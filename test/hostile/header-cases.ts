import {
  base256,
  device,
  dir,
  end,
  entry,
  fifo,
  file,
  gnuLong,
  header,
  octal,
  padded,
  symlink,
  tar,
} from "../layers/tar-builder.ts";
import { archives, hostileCase, type CaseMaker } from "./hostile-case.ts";

type Table = Readonly<Record<string, readonly [expect: string, archive: () => Buffer]>>;

const whole = (): Buffer => tar(dir("d/"), file("d/f", "x".repeat(1500)), symlink("s", "d/f"));

/** After Go's `testdata/{writer-big,issue…,neg-size}` and libarchive's `test_compat_gtar`, by what they are about. */
const table: Table = {
  "a checksum one too high": ["header-checksum", () => tar(header({ name: "a", checksum: 4711 }))],
  "a checksum of letters": ["header-checksum", () => tar(header({ name: "a", checksum: "checksum" }))],
  "a blank checksum": ["header-checksum", () => tar(header({ name: "a", checksum: "        " }))],
  "a checksum of zeros": ["header-checksum", () => tar(header({ name: "a", checksum: "0000000\0" }))],
  "a wrong checksum on the second header": [
    "header-checksum",
    () => tar(file("a", "x"), header({ name: "b", checksum: 1 })),
  ],
  "text in the place of a header": ["header-checksum", () => Buffer.from("#!/bin/sh\n".repeat(200))],
  "a lone zero block, then a header": [
    "lone-zero-block",
    () => Buffer.concat([file("a"), Buffer.alloc(512), file("b"), end]),
  ],
  "nothing but zeros": ["accepted", () => Buffer.alloc(10240)],
  "one zero block": ["accepted", () => Buffer.alloc(512)],
  "one byte": ["truncated", () => Buffer.from("a")],
  "511 zeros": ["truncated", () => Buffer.alloc(511)],
  "no zero blocks at the end": ["accepted", () => file("a", "content")],
  "one zero block at the end": ["accepted", () => Buffer.concat([file("a", "content"), Buffer.alloc(512)])],
  "something after the end": ["accepted", () => Buffer.concat([whole(), Buffer.from("trailing")])],
  "another archive after the end": ["accepted", () => Buffer.concat([whole(), tar(file("hidden", "x"))])],
  "two archives with no end between": [
    "accepted",
    () => Buffer.concat([file("a", "1"), file("a", "2"), end]),
  ],
  "a body cut short": ["truncated", () => whole().subarray(0, 1024 + 700)],
  "a body's padding cut short": ["accepted", () => whole().subarray(0, 1024 + 1510)],
  "a header cut short": ["truncated", () => whole().subarray(0, 700)],
  "a size of 8 GiB less one, and no body": ["truncated", () => header({ name: "a", size: 0o77777777777 })],
  "a size of 2^60, and no body": ["number-field", () => header({ name: "a", size: base256(2n ** 60n, 12) })],
  "a size of 2^53 - 1, and no body": [
    "truncated",
    () => header({ name: "a", size: base256(2n ** 53n - 1n, 12) }),
  ],
  "a size of -1": ["number-field", () => tar(header({ name: "a", size: base256(-1, 12) }))],
  "a size of -1 in octal": ["number-field", () => tar(header({ name: "a", size: "-0000000001\0" }))],
  "a size with an 8 in it": ["number-field", () => tar(header({ name: "a", size: "00000000008\0" }))],
  "a size in hex": ["number-field", () => tar(header({ name: "a", size: "0x000000010\0" }))],
  "a size of spaces": ["accepted", () => tar(header({ name: "a", size: "            " }))],
  "a size with spaces before it": [
    "accepted",
    () => tar(header({ name: "a", size: "          1 " }), padded("x")),
  ],
  "a size of NULs": ["accepted", () => tar(header({ name: "a", size: Buffer.alloc(12) }))],
  "a size behind a NUL": ["number-field", () => tar(header({ name: "a", size: "\x0000000000010" }))],
  "a size of twelve digits": [
    "accepted",
    () => tar(header({ name: "a", size: "000000000001" }), padded("x")),
  ],
  "two sizes in one field": ["number-field", () => tar(header({ name: "a", size: "0001 000100\0" }))],
  "a size with a plus": ["number-field", () => tar(header({ name: "a", size: "+0000000001\0" }))],
  "a mode of letters": ["number-field", () => tar(header({ name: "a", mode: "rw-r--r-" }))],
  "a mode with type bits": ["accepted", () => tar(header({ name: "a", mode: 0o104755 }))],
  "a mode of all bits": ["accepted", () => tar(header({ name: "a", mode: 0o7777777 }))],
  "a negative mode": ["number-field", () => tar(header({ name: "a", mode: base256(-1, 8) }))],
  "a uid of -1": ["owner-range", () => tar(header({ name: "a", uid: base256(-1, 8) }))],
  "a gid of -2": ["owner-range", () => tar(header({ name: "a", gid: base256(-2, 8) }))],
  "a uid of 2^32 - 1": ["accepted", () => tar(header({ name: "a", uid: base256(2 ** 32 - 1, 8) }))],
  "a uid of 2^32": ["owner-range", () => tar(header({ name: "a", uid: base256(2 ** 32, 8) }))],
  "a gid of 2^62": ["number-field", () => tar(header({ name: "a", gid: base256(2n ** 54n, 8) }))],
  "a uid that is no number": ["number-field", () => tar(header({ name: "a", uid: "root\0\0\0\0" }))],
  "a time before all time": [
    "number-field",
    () => tar(header({ name: "a", mtime: base256(-(2n ** 60n), 12) })),
  ],
  "a time after all time": ["number-field", () => tar(header({ name: "a", mtime: base256(2n ** 62n, 12) }))],
  "the earliest that a double counts": [
    "accepted",
    () => tar(header({ name: "a", mtime: base256(-(2n ** 53n) + 1n, 12) })),
  ],
  "the latest that a double counts": [
    "accepted",
    () => tar(header({ name: "a", mtime: base256(2n ** 53n - 1n, 12) })),
  ],
  "no name": ["name-empty", () => tar(header({ name: "" }))],
  "no name but a prefix": ["accepted", () => tar(header({ name: "", prefix: "p", type: "5" }))],
  "a name of 100 bytes without a NUL": ["accepted", () => tar(header({ name: "n".repeat(100) }))],
  "a prefix of 155 bytes without a NUL": [
    "accepted",
    () => tar(header({ name: "n", prefix: "p".repeat(155) })),
  ],
  "something behind the name's NUL": ["accepted", () => tar(header({ name: "a\0/../../etc/passwd" }))],
  "a name of a space": ["accepted", () => tar(file(" "))],
  "a name of control characters": ["accepted", () => tar(file("\x01\x1b[2J\x7f\x9b"))],
  "a name with a newline": ["accepted", () => tar(file("a\nrm -rf /\n"), dir("d\r/"))],
  "a name with debugfs's words": [
    "accepted",
    () => tar(file('"; rm <2>'), file("<2>"), dir("<11>/"), symlink('a" b', "c")),
  ],
  "a name of invalid UTF-8": ["accepted", () => tar(file("\xff\xfe\xc0\x80"), dir("\xed\xa0\x80/"))],
  "a name of backslashes": ["accepted", () => tar(file("..\\..\\windows"), file("C:\\a"))],
  "names of options": ["accepted", () => tar(file("-rf"), file("--help"), dir("-d/"))],
  "GNU's dump directory": ["type-flag", () => tar(entry("d", { type: "D", content: "Yfile\0" }))],
  "GNU's volume label": ["type-flag", () => tar(header({ name: "v", type: "V", format: "gnu" }))],
  "GNU's continued file": ["type-flag", () => tar(header({ name: "m", type: "M", format: "gnu" }))],
  "GNU's old long name": ["type-flag", () => tar(header({ name: "n", type: "N", format: "gnu" }))],
  "Solaris's ACL": ["type-flag", () => tar(entry("a", { type: "A", content: "user::rwx" }))],
  "Solaris's extended header": ["type-flag", () => tar(entry("a", { type: "X", content: "10 path=b\n" }))],
  "a type of 0xff": ["type-flag", () => tar(header({ name: "a", type: "\xff" }))],
  "a type of a space": ["type-flag", () => tar(header({ name: "a", type: " " }))],
  "a contiguous file": ["accepted", () => tar(file("a", "x", { type: "7" }))],
  "a directory by its name, with a body": [
    "directory-size",
    () => tar(header({ name: "d/", type: "\0", format: "v7", size: 5 }), padded("hello")),
  ],
  "a file whose name ends in a slash": ["accepted", () => tar(file("f/", "x"))],
  "a directory with a size": ["accepted", () => tar(dir("d/", { size: 1024 }), file("d/a", "x"))],
  "a symlink with a size": ["accepted", () => tar(symlink("s", "t", { size: 0o77777777777 }), file("a"))],
  "a hard link with its file's size": [
    "accepted",
    () => tar(file("a", "x"), header({ name: "b", type: "1", linkName: "a", size: 1 }), file("c")),
  ],
  "a device with a size": ["accepted", () => tar(device("n", "character", 1, 3, { size: 512 }), file("c"))],
  "a FIFO with a size": ["accepted", () => tar(fifo("p", { size: 999 }), file("c"))],
  "a symlink to nothing": ["link-target", () => tar(header({ name: "s", type: "2" }))],
  "a hard link to nothing": ["link-target", () => tar(header({ name: "h", type: "1" }))],
  "a symlink of 100 bytes without a NUL": ["accepted", () => tar(symlink("s", "t".repeat(100)))],
  "device 4095:1048575": ["accepted", () => tar(device("n", "block", 4095, 1048575))],
  "device 4096:0": ["device-number", () => tar(device("n", "block", 4096, 0))],
  "device 0:1048576": ["device-number", () => tar(device("n", "character", 0, 1048576))],
  "device -1:0": [
    "number-field",
    () => tar(header({ name: "n", type: "3", major: base256(-1, 8), minor: 0 })),
  ],
  "device 0:0": ["accepted", () => tar(device("n", "character", 0, 0))],
  "a device in a v7 header": ["device-number", () => tar(header({ name: "n", type: "3", format: "v7" }))],
  "a device number of letters": [
    "number-field",
    () => tar(header({ name: "n", type: "4", major: "eight\0\0\0", minor: 0 })),
  ],
  "a magic that is nobody's": [
    "accepted",
    () => tar(header({ name: "a", patches: [{ at: 257, bytes: "tar!!\0xx" }] })),
  ],
  "a ustar of another version": [
    "accepted",
    () => tar(header({ name: "a", prefix: "p", patches: [{ at: 263, bytes: "99" }] })),
  ],
  "a header of 0xff": ["header-checksum", () => Buffer.alloc(512, 0xff)],
  "a signed checksum": ["accepted", () => tar(signedSum("\xe9t\xe9"))],
  "a name in Latin-1 and one in UTF-8": ["accepted", () => tar(file("caf\xe9"), file("caf\xc3\xa9"))],
  "ten thousand entries of one name": [
    "accepted",
    () => tar(...Array.from({ length: 10_000 }, () => file("a"))),
  ],
  "a file, a directory, a link of one name in turn": [
    "accepted",
    () =>
      tar(file("a", "1"), dir("a/"), file("a/b"), symlink("a", "c"), file("a", "2"), dir("a/"), fifo("a")),
  ],
  "a long name cut short": ["truncated", () => gnuLong("n".repeat(600)).subarray(0, 900)],
  "a long name and then nothing": ["truncated", () => tar(gnuLong("n".repeat(600)))],
  "a long name and then the stream's end": ["truncated", () => gnuLong("n".repeat(600))],
  "long names in a row": [
    "accepted",
    () =>
      tar(
        ...Array.from({ length: 500 }, (_, i) => gnuLong(`long/${i}`)),
        header({ name: "x", format: "gnu" }),
      ),
  ],
  "a long name of no bytes": [
    "name-empty",
    () =>
      tar(header({ name: "././@LongLink", type: "L", format: "gnu" }), header({ name: "x", format: "gnu" })),
  ],
  "a long name of NULs": [
    "name-empty",
    () => tar(header({ name: "L", type: "L", size: 20 }), padded(Buffer.alloc(20)), file("x")),
  ],
  "a long name with a NUL inside": [
    "name-nul",
    () => tar(header({ name: "L", type: "L", size: 9 }), padded("a\0../../b"), file("x")),
  ],
  "a long name without a NUL": [
    "accepted",
    () => tar(header({ name: "L", type: "L", size: 3 }), padded("abc"), file("x")),
  ],
  "a long name of 2 GiB": ["limit-pax", () => header({ name: "L", type: "L", size: 2 ** 31, format: "gnu" })],
  "a long name of -1 bytes": ["number-field", () => header({ name: "L", type: "L", size: base256(-1, 12) })],
  "a long link before a file": ["accepted", () => tar(gnuLong("t".repeat(300), "K"), file("f", "x"))],
  "a long link, a long name, a symlink": [
    "accepted",
    () =>
      tar(
        gnuLong("t".repeat(300), "K"),
        gnuLong("n".repeat(200)),
        header({ name: "x", type: "2", linkName: "y", format: "gnu" }),
      ),
  ],
  "a name of 4,097 bytes": ["limit-path", () => tar(gnuLong(`${"d/".repeat(2048)}f`), file("x"))],
  "a symlink to 4,096 bytes": [
    "limit-path",
    () => tar(gnuLong("t".repeat(4096), "K"), header({ name: "s", type: "2" })),
  ],
  "a symlink to 4,095 bytes": [
    "accepted",
    () => tar(gnuLong("t".repeat(4095), "K"), header({ name: "s", type: "2" })),
  ],
  "a name of 256 bytes": ["name-too-long", () => tar(gnuLong("n".repeat(256)), file("x"))],
  "a name of 255 bytes": ["accepted", () => tar(gnuLong("n".repeat(255)), file("x"))],
};

/** As old writers summed: bytes above 127 count as negative. */
function signedSum(name: string): Buffer {
  const block = header({ name });
  let sum = 0;
  for (let i = 0; i < 512; i++) sum += i >= 148 && i < 156 ? 32 : block.readInt8(i);
  block.write(`${octal(sum, 7)} `, 148, "latin1");
  return block;
}

export const headerCases: readonly CaseMaker[] = Object.entries(table).map(([name, [expect, archive]]) =>
  hostileCase(name, expect, () => archives(archive())),
);
