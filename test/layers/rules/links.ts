import { dir, file, hardlink, symlink, tar } from "../tar-builder.ts";
import { by, keeps, refuses, type Rule } from "./rule.ts";

const time = { mtime: 1_000_000_000 };
const other = { mode: 0o7000, uid: 9, gid: 9, mtime: 9, size: 77, xattrs: { "user.no": "1" } };
const f = file("f", "data", { ...time, uid: 5 });
const names = (count: number): Buffer[] => Array.from({ length: count }, (_, i) => hardlink(`l${i}`, "f"));

export const links: readonly Rule[] = [
  {
    text: "A hard link shares its target's inode; its own header's owner, mode, time and size count for nothing.",
    heldBy: by(
      "flatten-links",
      "a hard link shares the target's inode; its own header's owner, mode and size count for nothing",
    ),
    cases: [
      keeps([tar(f, hardlink("b", "f", { ...time, mode: 0o644, uid: 5 }))], { what: "an equal header" }),
      keeps([tar(f, hardlink("b", "f", other))], { what: "another header" }),
    ],
  },
  {
    text: "The target is looked up as a path is, in lower layers too.",
    heldBy: by(
      "flatten-links",
      "the target is looked up like a path: spellings, symlinked parents, lower layers",
    ),
    cases: ["usr/lib/a", "./usr/lib/a", "/usr/lib/a", "lib/a", "x/../lib//a"].map((target) =>
      keeps(
        [
          tar(
            dir("usr", time),
            dir("usr/lib", time),
            file("usr/lib/a", "data", time),
            symlink("lib", "/usr/lib", time),
          ),
          tar(hardlink("b", target, time)),
        ],
        { what: `\`${target}\`` },
      ),
    ),
  },
  {
    text: "The target may be a symlink: it is shared, not followed.",
    heldBy: by("flatten-links", "the target may be a symlink itself: shared, not followed"),
    cases: [keeps([tar(f, symlink("l", "f", time), hardlink("m", "l", time))])],
  },
  {
    text: "A hard link to a directory, to itself, to nothing, out of the root or in a cycle is refused.",
    heldBy: by(
      "flatten-links",
      "refused: a hard link to a directory, to the root, to itself, to nothing, out of the root",
      "refused: hard links in a cycle, also one that a chain leads into",
      "a target that comes only in a later layer is missing",
    ),
    cases: [
      refuses("link-target-directory", [tar(dir("d", time), hardlink("x", "d"))], { what: "a directory" }),
      refuses("link-to-itself", [tar(f), tar(hardlink("f", "./f"))], { what: "itself" }),
      refuses("link-target-missing", [tar(f, hardlink("x", "nothing"))], { what: "nothing" }),
      refuses("link-escapes-root", [tar(f, hardlink("x", "../f"))], { what: "out of the root" }),
      refuses("link-cycle", [tar(hardlink("a", "b"), hardlink("b", "a"))], { what: "a cycle" }),
    ],
  },
  {
    text: "A target that comes later in the layer is looked up again at the layer's end.",
    heldBy: by(
      "flatten-links",
      "a target that comes later in the same layer: resolved at the layer's end",
      "a chain of links that each come before their target is one inode, however long",
    ),
    cases: [keeps([tar(hardlink("a", "f", time), f)])],
  },
  {
    text: "A target that a marker of the link's own layer hides is hidden from below only: the link keeps the inode.",
    heldBy: by(
      "flatten-links",
      "a target whited out by the same layer's marker is hidden only from below: the link keeps the inode",
      "what a marker hid is gone for the next layer's links",
    ),
    cases: [
      keeps([tar(f), tar(hardlink("x", "f", time), file(".wh.f"))], { what: "link first" }),
      keeps([tar(f), tar(file(".wh.f"), hardlink("x", "f", time))], { what: "marker first" }),
    ],
  },
  {
    text: "An inode has at most 65,000 names; one more is refused.",
    heldBy: by("flatten-links", "at most 65,000 names an inode; one more is refused (ext4: EXT4_LINK_MAX)"),
    cases: [refuses("too-many-links", () => [tar(f, ...names(65_000))], { slow: true, needsExt4: true })],
  },
  {
    text: "A symlink's target is data: 1 to 4,095 bytes of any kind but NUL, checked against nothing.",
    heldBy: [
      ...by(
        "flatten-links",
        "a symlink's target is data, any bytes, never checked against anything",
        "a symlink's target has 1 to 4,095 bytes and no NUL (kernel: PATH_MAX)",
      ),
      ...by("tar-refusals", "refused: a symlink to nothing", "refused: a symlink too long"),
    ],
    cases: [
      keeps(
        [
          tar(
            ...["../../../etc/shadow", "/", "a//b/../c", "\n", ".wh.x"].map((to, i) =>
              symlink(`l${i}`, to, time),
            ),
          ),
        ],
        { what: "odd ones" },
      ),
      keeps([tar(symlink("l", "\xff\x80", time))], { what: "no UTF-8" }),
      keeps([tar(symlink("l", "t".repeat(4095), time))], { what: "4,095 bytes", needsExt4: true }),
      refuses("limit-path", [tar(symlink("l", "t".repeat(4096), time))], { what: "4,096 bytes" }),
      refuses("link-target", [tar(symlink("l", "", time))], { what: "empty" }),
    ],
  },
  {
    text: "A symlink's mode is 0777, whatever its header says: Linux has no other.",
    heldBy: by(
      "flatten-metadata",
      "a symlink's mode is 0777, whatever its header says: Linux has no other (symlink(7))",
    ),
    cases: [keeps([tar(symlink("l", "t", { ...time, mode: 0o600, uid: 3 }))])],
  },
];
