import { base256, device, dir, entry, fifo, file, header, symlink, tar } from "../tar-builder.ts";
import { by, keeps, refuses, type Rule } from "./rule.ts";

const time = { mtime: 1_000_000_000 };
/** `cap_setuid=ep` as a kernel keeps it: 20 bytes that are no UTF-8. */
const capability = Buffer.from("0100000280000000000000000000000000000000", "hex");
/** `u::rwx,u:1000:r-x,g::r-x,m::r-x,o::---`, which goes with mode 0750. */
const acl = Buffer.from(
  "0200000001000700ffffffff02000500e803000004000500ffffffff10000500ffffffff20000000ffffffff",
  "hex",
);

const withXattrs = (xattrs: Readonly<Record<string, Buffer | string>>, mode = 0o644): Buffer =>
  tar(file("f", "", { ...time, mode, xattrs }));

export const metadata: readonly Rule[] = [
  {
    text: "Owners are numbers of 32 bits, in octal, base-256 or PAX.",
    heldBy: [
      ...by("tar-formats", "number: base-256", "a PAX value wins over the header's, size included"),
      ...by(
        "flatten-metadata",
        "owner, the twelve mode bits, xattrs, devices and FIFOs are as the entry has them",
      ),
    ],
    cases: [
      keeps([tar(file("f", "", { ...time, uid: 0o777_7777, gid: 1 }))], { what: "octal" }),
      keeps([tar(file("f", "", { ...time, uid: base256(4_294_967_294, 8), gid: base256(2 ** 31, 8) }))], {
        what: "base-256",
      }),
      keeps([tar(file("f", "", { ...time, pax: { uid: "4294967294", gid: "70000" } }))], { what: "PAX" }),
      keeps([tar(file("f", "", { ...time, pax: { uid: "4294967295" } }))], { what: "4,294,967,295" }),
    ],
  },
  {
    text: "Names of owners never override their numbers.",
    heldBy: by("tar-formats", "names of owners never override their numbers"),
    cases: [
      keeps([
        tar(
          entry("f", {
            ...time,
            uid: 5,
            gid: 6,
            patches: [{ at: 265, bytes: "root" }],
            pax: { uname: "daemon", gname: "daemon" },
          }),
        ),
      ]),
    ],
  },
  {
    text: "A negative owner, or one over 32 bits, is refused.",
    heldBy: by(
      "tar-refusals",
      "refused: a uid of 33 bits",
      "refused: a negative gid",
      "refused: a negative PAX uid",
      "refused: a PAX uid of 33 bits",
    ),
    cases: [
      refuses("owner-range", [tar(file("f", "", { ...time, uid: base256(2 ** 32, 8) }))], {
        what: "33 bits",
      }),
      refuses("owner-range", [tar(file("f", "", { ...time, pax: { uid: "-1" } }))], { what: "-1" }),
      refuses("owner-range", [tar(file("f", "", { ...time, pax: { uid: "-2" } }))], { what: "-2" }),
    ],
  },
  {
    text: "The mode's twelve permission bits are kept; type bits in the field are ignored.",
    heldBy: [
      ...by("tar-formats", "every kind of entry comes out with its own fields"),
      ...by(
        "flatten-metadata",
        "owner, the twelve mode bits, xattrs, devices and FIFOs are as the entry has them",
      ),
    ],
    cases: [
      keeps([tar(file("f", "", { ...time, mode: 0o6751, uid: 3 }), dir("d", { ...time, mode: 0o3777 }))], {
        what: "all twelve",
      }),
      keeps([tar(file("f", "", { ...time, mode: 0o042_755 }))], { what: "a file with a directory's bits" }),
    ],
  },
  {
    text: "mtime has PAX's nanoseconds, before 1970 too.",
    heldBy: by(
      "tar-formats",
      "mtime: PAX nanoseconds",
      "mtime: PAX negative is rounded down",
      "mtime: base-256 negative",
    ),
    cases: [
      keeps([tar(file("f", "", { pax: { mtime: "1600000000.123456789" } }))], { what: "after" }),
      keeps([tar(file("f", "", { pax: { mtime: "-1.25" } }))], { what: "before" }),
      keeps([tar(symlink("l", "t", { pax: { mtime: "1600000000.123456789" } }))], { what: "a symlink's" }),
    ],
  },
  {
    text: "A time outside of 1901-12-13 … 2446-05-10, which ext4 can't hold, is moved to the nearest that it can, and listed.",
    heldBy: by(
      "flatten-metadata",
      "mtime: nanoseconds, negative too; outside 1901-12-13 … 2446-05-10 clamped, and listed",
      "a clamped time is listed with layer, entry and path, also that of a parent made for the entry",
    ),
    cases: [
      keeps([tar(file("f", "", { pax: { mtime: "-2147483649" } }))], {
        what: "1901",
        losses: ["TIME_CLAMPED"],
        needsExt4: true,
      }),
      keeps([tar(file("f", "", { pax: { mtime: "15032385536" } }))], {
        what: "2446",
        losses: ["TIME_CLAMPED"],
        needsExt4: true,
      }),
    ],
  },
  {
    text: "A time from 2310-04-04 to 2378-04-22, which e2fsck takes for a mistaken one before 1970 and makes that, is moved to the nearest outside, and listed.",
    heldBy: [
      ...by(
        "flatten-metadata",
        "mtime: what e2fsck takes for a time before 1970, 2310-04-04 … 2378-04-22, is moved out, and listed",
      ),
      ...by("ext4/fsck", "times from 2310-04-04 to 2378-04-22 are those that it takes for mistaken ones"),
    ],
    cases: ["10737418239", "10737418240", "12884901887", "12884901888"].map((mtime) =>
      keeps([tar(file("f", "", { pax: { mtime } }))], {
        what: mtime,
        losses: /240|887/.test(mtime) ? ["TIME_CLAMPED"] : [],
        needsExt4: true,
      }),
    ),
  },
  {
    text: "Devices keep their numbers within Linux's 12 and 20 bits; others are refused.",
    heldBy: [
      ...by(
        "flatten-metadata",
        "owner, the twelve mode bits, xattrs, devices and FIFOs are as the entry has them",
      ),
      ...by("tar-refusals", "refused: a major too large", "refused: a minor too large"),
    ],
    cases: [
      keeps([tar(device("c", "character", 1, 3, time), device("b", "block", 4095, 1_048_575, time))], {
        what: "the least and the largest",
      }),
      refuses("device-number", [tar(device("b", "block", 4096, 0, time))], { what: "a larger major" }),
      refuses("device-number", [tar(device("c", "character", 0, 1_048_576, time))], {
        what: "a larger minor",
      }),
    ],
  },
  {
    text: "FIFOs are kept.",
    heldBy: by(
      "flatten-metadata",
      "owner, the twelve mode bits, xattrs, devices and FIFOs are as the entry has them",
    ),
    cases: [keeps([tar(fifo("p", { ...time, mode: 0o620, uid: 3 }))])],
  },
  {
    text: "Type flags that are not known are refused.",
    heldBy: by(
      "tar-refusals",
      "refused: an unknown type",
      "refused: a dump directory",
      "refused: a continued file",
    ),
    cases: ["Z", "V", "D", "M"].map((type) =>
      refuses("type-flag", [tar(header({ name: "n", type }))], { what: `\`${type}\`` }),
    ),
  },
  {
    text: "xattrs come from `SCHILY.xattr.`, as bytes.",
    heldBy: by("xattrs", "values are bytes: capabilities, NULs, newlines, equals signs, nothing"),
    cases: [
      keeps([withXattrs({ "security.capability": capability })], { what: "a capability" }),
      keeps([withXattrs({ "user.odd": "a\n=b\xff" })], { what: "any bytes" }),
      keeps([withXattrs({ "user.nul": "a\0b" })], { what: "a NUL" }),
    ],
  },
  {
    text: "xattrs come from `LIBARCHIVE.xattr.` too, the name URL-encoded, the value in base64; where both have one, `SCHILY` wins.",
    heldBy: by("xattrs", "libarchive's are URL-encoded names and base64 values, padded or not; star's win"),
    cases: [
      keeps([tar(file("f", "", { ...time, pax: { "LIBARCHIVE.xattr.user.a%25": "eA==" } }))], {
        what: "alone",
      }),
      keeps(
        [
          tar(
            file("f", "", {
              ...time,
              pax: { "LIBARCHIVE.xattr.user.a": "eA==", "SCHILY.xattr.user.a": "star" },
            }),
          ),
        ],
        { what: "both" },
      ),
    ],
  },
  {
    text: "`security.*`, `user.*`, `trusted.*` and `system.posix_acl_*` are kept, on every kind of inode.",
    heldBy: [
      ...by("xattrs", "namespaces: those that the disk holds are kept, the others listed"),
      ...by(
        "flatten-metadata",
        "owner, the twelve mode bits, xattrs, devices and FIFOs are as the entry has them",
      ),
    ],
    cases: [
      keeps([withXattrs({ "security.x": "1", "user.x": "1", "trusted.x": "1" })], { what: "a file's" }),
      keeps([tar(dir("d", { ...time, xattrs: { "user.x": "1", "trusted.x": "1" } }))], {
        what: "a directory's",
      }),
      keeps([tar(symlink("l", "t", { ...time, xattrs: { "trusted.x": "1" } }))], {
        what: "a symlink's `trusted`",
      }),
      keeps([tar(symlink("l", "t", { ...time, xattrs: { "user.x": "1" } }))], { what: "a symlink's `user`" }),
      keeps([tar(device("c", "character", 1, 3, { ...time, xattrs: { "user.x": "1" } }))], {
        what: "a device's `user`",
      }),
    ],
  },
  {
    text: "ACLs are kept, in ext4's own encoding; one that Linux would not take is refused.",
    heldBy: [
      ...by(
        "xattr-room",
        "an ACL keeps its entries; an id that means nothing is as the disk will give it back",
      ),
      ...by("xattr-room", "an ACL that Linux would not take is refused"),
      ...by(
        "ext4/builders",
        "e2fsprogs: what is awkward reads back as it should",
        "direct: what is awkward reads back as it should",
      ),
    ],
    cases: [
      keeps([withXattrs({ "system.posix_acl_access": acl }, 0o750)], { what: "an ACL" }),
      keeps([tar(dir("d", { ...time, xattrs: { "system.posix_acl_default": acl } }))], {
        what: "a default ACL",
      }),
      refuses("acl-malformed", [withXattrs({ "system.posix_acl_access": "junk" })], { what: "none" }),
    ],
  },
  {
    text: "An xattr of another namespace is dropped, and listed.",
    heldBy: by("xattrs", "namespaces: those that the disk holds are kept, the others listed"),
    cases: [
      keeps([withXattrs({ "com.apple.provenance": "x" })], { losses: ["XATTR_NAMESPACE"], needsExt4: true }),
    ],
  },
  {
    text: "An empty value is an attribute with an empty value.",
    heldBy: by("xattrs", "values are bytes: capabilities, NULs, newlines, equals signs, nothing"),
    cases: [keeps([withXattrs({ "user.empty": "" })])],
  },
  {
    text: "What ext4 has no room for, beside and in one block, is dropped and listed; `--strict` refuses it.",
    heldBy: [
      ...by(
        "xattr-room",
        "what ext4 has no room for is left out, and listed with layer, entry and path",
        "all that flattening lets through, debugfs has room for",
        "room: the inode and the block, both full",
      ),
      ...by("e2e/strict", "with --strict, a loss refuses the image; without, it is listed"),
    ],
    cases: [
      keeps([withXattrs({ "user.a": "x".repeat(4000) })], { what: "4,000 bytes", needsExt4: true }),
      keeps([withXattrs({ "user.a": "x".repeat(5000), "user.b": "x" })], {
        what: "5,000 bytes",
        losses: ["XATTR_TOO_LARGE"],
        needsExt4: true,
      }),
    ],
  },
];
