import {
  base256,
  device,
  dir,
  entry,
  fifo,
  file,
  gnuLong,
  hardlink,
  header,
  oldSparse,
  padded,
  pax,
  paxSparse,
  symlink,
  tar,
} from "./tar-builder.ts";

const pieces = Array.from({ length: 30 }, (_, i) => ({ offset: i * 4096, content: "s".repeat(700) }));

/** Right archives that between them have every kind of header: what mutations and random pieces start from. */
export const sampleArchives: readonly Buffer[] = [
  tar(
    dir("usr/"),
    dir("usr/bin/", { mode: 0o1777 }),
    file("usr/bin/a", "x".repeat(1000), {
      mode: 0o4755,
      xattrs: { "security.capability": Buffer.alloc(20, 1) },
    }),
    symlink("bin", "usr/bin"),
    hardlink("usr/bin/b", "usr/bin/a"),
    device("dev/null", "character", 1, 3),
    fifo("dev/pipe"),
    file(".wh.gone"),
    file("usr/.wh..wh..opq"),
  ),
  tar(
    pax({ uid: "12", mtime: "-5.25" }, "g"),
    entry("p", { content: "pax", pax: { path: "usr/share/\xff", gid: "77", size: "3", mtime: "1.5" } }),
    file("n".repeat(150), "long name in pax", { xattrs: { "user.x": "1", "os2.y": "2" } }),
    symlink("s", "t".repeat(500)),
  ),
  tar(
    Buffer.concat([gnuLong("g".repeat(600)), header({ name: "g", format: "gnu", size: 3 }), padded("gnu")]),
    Buffer.concat([gnuLong("k".repeat(600), "K"), header({ name: "k", type: "2", format: "gnu" })]),
    header({ name: "b", format: "gnu", uid: base256(4_000_000_000, 8), mtime: base256(-100, 12) }),
    oldSparse("old", 1 << 20, pieces),
  ),
  tar(
    ...(["0.0", "0.1", "1.0"] as const).map((version) => paxSparse(version, version, 1 << 20, pieces)),
    file("end", "x"),
  ),
  tar(
    header({ name: "v7", format: "v7", type: "\0", size: 2 }),
    padded("v7"),
    header({ name: "v7dir/", format: "v7", type: "\0" }),
    header({ name: "star", prefix: "pre", format: "star" }),
    file("contiguous", "7", { type: "7" }),
  ),
];
