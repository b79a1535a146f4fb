import {
  dir,
  end,
  entry,
  file,
  gnuLong,
  header,
  padded,
  pax,
  paxRecord,
  rawPax,
  symlink,
  tar,
} from "../layers/tar-builder.ts";
import { archives, gzipped, hostileCase, type CaseMaker, type HostileLayer } from "./hostile-case.ts";

type Table = Readonly<Record<string, readonly [expect: string, make: () => Buffer]>>;

const records = (text: string): Buffer => tar(rawPax(text), file("f", "x"));

/** After Go's `testdata/pax-bad-*.tar` and `TestParsePAX`, and libarchive's fuzz findings. */
const table: Table = {
  "a length too long": ["pax-record", () => records("99 path=a\n")],
  "a length too short": ["pax-record", () => records("8 path=ab\n")],
  "a length of 0": ["pax-record", () => records("0 path=a\n")],
  "a length of 1": ["pax-record", () => records("1 path=a\n")],
  "a negative length": ["pax-record", () => records("-9 path=a\n")],
  "a length of 2^64": ["pax-record", () => records("18446744073709551616 path=a\n")],
  "a length in hex": ["pax-record", () => records("0x9 path=a\n")],
  "a length with leading zeros": ["accepted", () => records("00000000000000017 a=b\n".replace("17", "22"))],
  "no length": ["pax-record", () => records("path=a\n")],
  "a thousand digits": ["pax-record", () => records(`${"1".repeat(1000)} path=a\n`)],
  "no equals sign": ["pax-record", () => records("9 path a\n")],
  "no keyword": ["pax-record", () => records("6 =ab\n")],
  "no newline": ["pax-record", () => records("9 path=ab")],
  "NULs after the last record": [
    "pax-record",
    () => tar(rawPax(Buffer.concat([paxRecord("path", "a"), Buffer.alloc(5)])), file("f")),
  ],
  "a NUL in the keyword": ["pax-record", () => records("11 pa\0th=ab\n".replace("11", "12"))],
  "a NUL in the path": ["pax-record", () => tar(pax({ path: "a\0../../b" }), file("f"))],
  "a NUL in the target": ["pax-record", () => tar(pax({ linkpath: "a\0b" }), symlink("f", "x"))],
  "an empty body": ["accepted", () => records("")],
  "an empty path": ["accepted", () => tar(pax({ path: "" }), file("f"))],
  "the same key twice": [
    "accepted",
    () =>
      tar(
        pax([
          ["path", "a"],
          ["path", "b"],
        ]),
        file("f"),
      ),
  ],
  "the size twice, the last one right": [
    "accepted",
    () =>
      tar(
        pax([
          ["size", "9999999"],
          ["size", "1"],
        ]),
        file("f", "x"),
      ),
  ],
  "two headers in a row": ["pax-twice", () => tar(pax({ path: "a" }), pax({ path: "b" }), file("f"))],
  "a header for a header": ["pax-twice", () => tar(pax({ size: "0" }), pax({ path: "b" }), file("f"))],
  "a path and another GNU long name": [
    "two-names",
    () => tar(gnuLong("gnu"), pax({ path: "pax" }), file("f")),
  ],
  "a path and the same GNU long name": [
    "accepted",
    () => tar(gnuLong("same"), pax({ path: "same" }), file("f")),
  ],
  "a target and another GNU long link": [
    "two-names",
    () => tar(gnuLong("gnu", "K"), pax({ linkpath: "pax" }), symlink("f", "x")),
  ],
  "a size smaller than the header's": [
    "accepted",
    () => tar(pax({ size: "1" }), header({ name: "a", size: 600 }), padded("x"), file("b")),
  ],
  "a size larger than the header's": [
    "accepted",
    () => tar(pax({ size: "600" }), header({ name: "a", size: 1 }), padded("y".repeat(600)), file("b")),
  ],
  "a size that leads into a body": [
    "header-checksum",
    () => tar(pax({ size: "512" }), header({ name: "a", size: 1024 }), padded("z".repeat(1024))),
  ],
  "a negative size": ["pax-record", () => tar(pax({ size: "-1" }), file("f"))],
  "a size of 10^19": ["pax-record", () => tar(pax({ size: "10000000000000000000" }), file("f"))],
  "a size with a fraction": ["pax-record", () => tar(pax({ size: "1.5" }), file("f", "xx"))],
  "a size with spaces": ["pax-record", () => tar(pax({ size: " 1" }), file("f", "x"))],
  "a size in exponents": ["pax-record", () => tar(pax({ size: "1e3" }), file("f", "x"))],
  "a size on a directory": ["accepted", () => tar(pax({ size: "4096" }), dir("d/"), file("d/a"))],
  "a size on a symlink": ["accepted", () => tar(pax({ size: "4096" }), symlink("d", "x"), file("a"))],
  "a uid of -1": ["owner-range", () => tar(pax({ uid: "-1" }), file("f"))],
  "a uid of 2^32": ["owner-range", () => tar(pax({ uid: "4294967296" }), file("f"))],
  "a uid of a name": ["owner-range", () => tar(pax({ uid: "root" }), file("f"))],
  "a gid of 2^32 - 1": ["accepted", () => tar(pax({ gid: "4294967295" }), file("f"))],
  "an uname alone": ["accepted", () => tar(pax({ uname: "root", gname: "wheel" }), file("f"))],
  "a NUL in the uname": ["pax-record", () => tar(pax({ uname: "ro\0ot" }), file("f"))],
  "a time of letters": ["pax-record", () => tar(pax({ mtime: "yesterday" }), file("f"))],
  "a time of NaN": ["pax-record", () => tar(pax({ mtime: "nan" }), file("f"))],
  "a time of two points": ["pax-record", () => tar(pax({ mtime: "1.2.3" }), file("f"))],
  "a time of 500 decimals": ["accepted", () => tar(pax({ mtime: `1.${"9".repeat(500)}` }), file("f"))],
  "a time of 10^15": ["accepted", () => tar(pax({ mtime: "1000000000000000" }), file("f"))],
  "a time of -10^15": ["accepted", () => tar(pax({ mtime: "-1000000000000000.5" }), file("f"))],
  "a time of 10^30": ["pax-record", () => tar(pax({ mtime: "1".padEnd(31, "0") }), file("f"))],
  "a time of minus zero": ["accepted", () => tar(pax({ mtime: "-0.0" }), file("f"))],
  "a charset": ["accepted", () => tar(pax({ hdrcharset: "BINARY", path: "\xff" }), file("f"))],
  "an unknown keyword": ["accepted", () => tar(pax({ "EVIL.exec": "rm -rf /" }), file("f"))],
  "a keyword of a prototype": [
    "accepted",
    () => tar(pax({ __proto__x: "1", constructor: "2", toString: "3" }), file("f")),
  ],
  "a value with newlines": ["accepted", () => tar(pax({ comment: "a\n12 path=evil\nb" }), file("f"))],
  "a header of 1 MiB and one byte": [
    "limit-pax",
    () => tar(pax({ comment: "c".repeat(2 ** 20) }), file("f")),
  ],
  "a header of 2^40 bytes": [
    "limit-pax",
    () => header({ name: "x", type: "x", size: "\x80\0\0\0\0\0\x01\0\0\0\0\0" }),
  ],
  "a header that ends the stream": ["truncated", () => pax({ path: "a" })],
  "a header before the end": ["truncated", () => tar(pax({ path: "a" }))],
  "a header cut short": ["truncated", () => pax({ comment: "c".repeat(2000) }).subarray(0, 1000)],
  "a global path": ["accepted", () => tar(pax({ path: "everywhere" }, "g"), file("a"), file("b"))],
  "a global size": ["accepted", () => tar(pax({ size: "0" }, "g"), dir("d/"), file("e"))],
  "a global uid, taken back": [
    "accepted",
    () => tar(pax({ uid: "7" }, "g"), file("a"), pax({ uid: "" }), file("b")),
  ],
  "a global sparse map": ["pax-record", () => tar(pax({ "GNU.sparse.size": "10" }, "g"), file("a"))],
  "a global header last": ["accepted", () => tar(file("a"), pax({ comment: "bye" }, "g"))],
  "a malformed global header": ["pax-record", () => tar(rawPax("5 a\n", "g"), file("a"))],
  "a thousand global headers": [
    "accepted",
    () => tar(...Array.from({ length: 1000 }, (_, i) => pax({ uid: String(i) }, "g")), file("a")),
  ],
  "a global header between a header and its entry": [
    "accepted",
    () => tar(pax({ path: "own" }), pax({ path: "global" }, "g"), file("f")),
  ],
  "a path that climbs": ["path-escapes-root", () => tar(pax({ path: "../../evil" }), file("f"))],
  "an xattr without a name": ["xattr", () => tar(pax({ "SCHILY.xattr.": "x" }), file("f"))],
  "an xattr name of 256 bytes": [
    "xattr",
    () => tar(pax({ [`SCHILY.xattr.user.${"n".repeat(251)}`]: "x" }), file("f")),
  ],
  "an xattr name of 255 bytes": [
    "accepted",
    () => tar(pax({ [`SCHILY.xattr.user.${"n".repeat(250)}`]: "x" }), file("f")),
  ],
  "an xattr of a namespace that is none": [
    "accepted",
    () => tar(pax({ "SCHILY.xattr.evil": "x", "SCHILY.xattr.user.": "y" }), file("f")),
  ],
  "an xattr of overlayfs": [
    "accepted",
    () =>
      tar(
        pax({ "SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.trusted.overlay.redirect": "/etc" }),
        dir("d/"),
      ),
  ],
  "an xattr of 64 KiB": [
    "limit-xattrs",
    () => tar(pax({ "SCHILY.xattr.user.x": "x".repeat(65_536) }), file("f")),
  ],
  "an empty xattr": ["accepted", () => tar(pax({ "SCHILY.xattr.user.x": "" }), file("f"))],
  "an xattr with a newline in its name": [
    "LAYER_UNENCODABLE",
    () => tar(pax({ "SCHILY.xattr.user.a\nb": "x" }), file("f")),
  ],
  "an xattr with quotes in its name": [
    "accepted",
    () => tar(pax({ 'SCHILY.xattr.user."; rm <2>': '""' }), file("f")),
  ],
  "an ACL of garbage": [
    "either",
    () => tar(pax({ "SCHILY.xattr.system.posix_acl_access": "garbage" }), file("f")),
  ],
  "an ACL of a version that is none": [
    "either",
    () => tar(pax({ "SCHILY.xattr.system.posix_acl_access": "\x63\0\0\0" }), file("f")),
  ],
  "a capability of garbage": [
    "accepted",
    () => tar(pax({ "SCHILY.xattr.security.capability": "\x01" }), file("f")),
  ],
  "libarchive's xattr, not base64": [
    "xattr",
    () => tar(pax({ "LIBARCHIVE.xattr.user.x": "!!!" }), file("f")),
  ],
  "libarchive's xattr name, badly encoded": [
    "xattr",
    () => tar(pax({ "LIBARCHIVE.xattr.user.%zz": "eA" }), file("f")),
  ],
  "libarchive's xattr name with a NUL": [
    "xattr",
    () => tar(pax({ "LIBARCHIVE.xattr.user.%00": "eA" }), file("f")),
  ],
  "both kinds of xattr, which differ": [
    "accepted",
    () => tar(pax({ "LIBARCHIVE.xattr.user.x": "eA", "SCHILY.xattr.user.x": "y" }), file("f")),
  ],
  "xattrs on everything": [
    "accepted",
    () =>
      tar(
        dir("d/", { xattrs: { "user.d": "1" } }),
        symlink("s", "d", { xattrs: { "trusted.s": "1" } }),
        entry("p", { type: "6", xattrs: { "trusted.p": "1" } }),
      ),
  ],
};

/** Small archives that are much work, or much memory, to who reads them carelessly. */
const floods: Readonly<Record<string, readonly [expect: string, make: () => readonly HostileLayer[]]>> = {
  "a global header of 60,000 keywords before 20,000 entries": [
    "accepted",
    () => {
      const keys = Array.from({ length: 60_000 }, (_, i) => paxRecord(`k${i.toString(36)}`, ""));
      const many = Array.from({ length: 20_000 }, (_, i) => header({ name: `f${i}` }));
      return gzipped(Buffer.concat([rawPax(Buffer.concat(keys), "g"), ...many, end]));
    },
  ],
  "xattrs of 4,000 names on one file": [
    "limit-xattrs",
    () =>
      gzipped(
        tar(
          pax(Object.fromEntries(Array.from({ length: 4000 }, (_, i) => [`SCHILY.xattr.user.${i}`, ""]))),
          file("f"),
        ),
      ),
  ],
  "a thousand global xattrs before 10,000 entries": [
    "limit-xattrs",
    () => {
      const names = Object.fromEntries(
        Array.from({ length: 1000 }, (_, i) => [`SCHILY.xattr.user.${i}`, ""]),
      );
      return gzipped(
        tar(pax(names, "g"), ...Array.from({ length: 10_000 }, (_, i) => header({ name: `f${i}` }))),
      );
    },
  ],
  "60 KiB of global xattrs before 1,000 entries": [
    "accepted",
    () =>
      gzipped(
        Buffer.concat([
          pax({ "SCHILY.xattr.user.x": "x".repeat(60_000) }, "g"),
          ...Array.from({ length: 1000 }, (_, i) => header({ name: `f${i}` })),
          end,
        ]),
      ),
  ],
  "1 MiB of records before each of 50 entries": [
    "accepted",
    () =>
      gzipped(
        tar(
          ...Array.from({ length: 50 }, (_, i) =>
            Buffer.concat([pax({ comment: "c".repeat(1_000_000) }), file(`f${i}`)]),
          ),
        ),
      ),
  ],
  "a record in each of 90,000 bytes": [
    "accepted",
    () => gzipped(tar(rawPax("5 a=\n".repeat(200_000)), file("f"))),
  ],
};

export const paxCases: readonly CaseMaker[] = [
  ...Object.entries(table).map(([name, [expect, make]]) =>
    hostileCase(
      `PAX: ${name}`,
      expect,
      () => archives(make()),
      expect === "LAYER_UNENCODABLE" ? "alone" : "together",
    ),
  ),
  ...Object.entries(floods).map(([name, [expect, make]]) => hostileCase(`PAX: ${name}`, expect, make, "no")),
];
