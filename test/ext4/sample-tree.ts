import { createHash } from "node:crypto";
import {
  buildTree,
  device,
  dir,
  fifo,
  file,
  link,
  sparse,
  type BuiltTree,
  type Described,
} from "./tree-builder.ts";

/** Bytes that look random and are the same every time. */
export function noise(length: number, seed = "banger"): Buffer {
  const out = Buffer.alloc(length);
  for (let at = 0, i = 0; at < length; at += 32, i++)
    createHash("sha256").update(`${seed}${i}`).digest().copy(out, at);
  return out;
}

/** `u::rwx,u:1000:r-x,g::r-x,m::r-x,o::---` as getxattr(2) has it. */
export const accessAcl = Buffer.from(
  "02000000" +
    "01000700ffffffff" +
    "02000500e8030000" +
    "04000500ffffffff" +
    "10000500ffffffff" +
    "20000000ffffffff",
  "hex",
);

/** One of everything that a tree may have. `small` leaves out what inodes of 128 bytes have no room for. */
export function sampleTree(small = false): BuiltTree {
  const whole = (seconds: number, nanoseconds: number) => ({ seconds, nanoseconds: small ? 0 : nanoseconds });
  const time = whole(1_600_000_000, 123_456_789);
  const hard = file("two names", { mtime: time, mode: 0o640, uid: 1000, gid: 1001 });
  const meta = { mtime: time };
  const children: Record<string, Described> = {
    bin: link("usr/bin", meta),
    etc: dir(
      {
        hosts: file("127.0.0.1 localhost\n", meta),
        shadow: file("root:*\n", { ...meta, mode: 0o600, gid: 42 }),
        empty: file("", meta),
        huge: file("uid", { ...meta, uid: 4_294_967_294, gid: 70_000 }),
      },
      meta,
    ),
    usr: dir(
      { bin: dir({ su: file(noise(9000), { ...meta, mode: 0o4755 }) }, meta) },
      { ...meta, mode: 0o2755 },
    ),
    dev: dir(
      {
        null: device("character", 1, 3, { ...meta, mode: 0o666 }),
        loop300: device("block", 7, 300, { ...meta, mode: 0o660, gid: 6 }),
        wide: device("character", 4095, 65_535, meta),
        pipe: fifo({ ...meta, mode: 0o600 }),
      },
      meta,
    ),
    var: dir({ tmp: dir({}, { ...meta, mode: 0o1777 }) }, meta),
    one: hard,
    two: hard,
    "long link": link("x".repeat(60), meta),
    longest: link("y/".repeat(400), meta),
    fast: link("z".repeat(59), meta),
    holes: sparse(
      3_000_000,
      [
        { offset: 0, bytes: noise(5000, "a") },
        { offset: 1_500_000, bytes: noise(100_000, "b") },
      ],
      meta,
    ),
    hole: sparse(100_000, [], meta),
    large: file(noise(700_000), meta),
    "lost+found": dir({}, { ...meta, mode: 0o700 }),
    capable: file("#!", {
      ...meta,
      xattrs: {
        "security.capability": Buffer.from("0100000280000000000000000000000000000000", "hex"),
        "user.empty": "",
        "user.note": "a\0b\xff",
      },
    }),
    acl: file("acl", {
      ...meta,
      mode: 0o750,
      xattrs: { "system.posix_acl_access": accessAcl, "trusted.big": noise(600) },
    }),
  };
  if (!small) {
    children["1901"] = file("", { mtime: { seconds: -2_147_483_648, nanoseconds: 1 } });
    children["1969"] = file("", { mtime: { seconds: -1, nanoseconds: 999_999_999 } });
    children["2038"] = file("", { mtime: { seconds: 2_147_483_648, nanoseconds: 5 } });
    children["2446"] = file("", { mtime: { seconds: 15_032_385_535, nanoseconds: 999_999_999 } });
  }
  return buildTree(dir(children, { ...meta, mode: 0o755 }));
}
