import { dir, entry, file, gnuLong, hardlink, header, symlink, tar } from "../tar-builder.ts";
import { by, keeps, refuses, type Rule } from "./rule.ts";

const time = { mtime: 1_000_000_000 };
const usrMerged = tar(dir("usr", time), dir("usr/bin", time), symlink("bin", "usr/bin", time));
const chain = (links: number): Buffer[] =>
  Array.from({ length: links }, (_, i) => symlink(`l${i}`, `l${i + 1}`, time));

export const paths: readonly Rule[] = [
  {
    text: "`./a`, `/a`, `a`, `a//b` and `a/./b` are spellings of one path.",
    heldBy: by(
      "flatten-paths",
      "./a, /a, a, a//b, a/./b are one path (Go filepath.Clean, as umoci and containerd)",
    ),
    cases: [
      keeps([
        tar(
          ...["a/b", "./a/b", "/a/b", "a//b", "a/./b"].map((path, i) => file(path, String(i), time)),
          dir("a", time),
        ),
      ]),
    ],
  },
  {
    text: "A `..` that stays inside the image takes a component away.",
    heldBy: by("flatten-paths", "`..` that stays inside is cleaned, whatever it is above"),
    cases: [
      keeps([tar(symlink("l", "elsewhere", time), file("l/../f", "", time), file("none/../g", "", time))]),
    ],
  },
  {
    text: "A `..` that climbs above the root is refused.",
    heldBy: by("flatten-paths", "`..` that climbs above the root is refused"),
    cases: ["../a", "a/../../b", "/../a", ".."].map((path) =>
      refuses("path-escapes-root", [tar(file(path, "", time))], { what: `\`${path}\`` }),
    ),
  },
  {
    text: "A NUL in a name is refused.",
    heldBy: [
      ...by("flatten-paths", "a NUL in a name is refused"),
      ...by("tar-refusals", "refused: a NUL inside a long name", "refused: PAX (x) with a NUL in the path"),
    ],
    cases: [
      refuses("pax-record", [tar(entry("n", { pax: { path: "a\0b" } }))], { what: "PAX" }),
      refuses("name-nul", [tar(gnuLong("a\0b"), header({ name: "n" }))], { what: "GNU" }),
    ],
  },
  {
    text: "A component over 255 bytes is refused: no ext4 directory can hold it.",
    heldBy: by(
      "flatten-paths",
      "a component over 255 bytes is refused (ext4: EXT4_NAME_LEN)",
      "a component over 255 bytes that a dangling link would make is refused",
    ),
    cases: [refuses("name-too-long", [tar(file("n".repeat(256)))])],
  },
  {
    text: "An entry without any name is refused.",
    heldBy: [
      ...by("flatten-paths", "an entry named nothing at all is refused"),
      ...by("tar-refusals", "refused: no name", "refused: an empty long name"),
    ],
    cases: [
      refuses("name-empty", [tar(header({ name: "" }))], { what: "a file" }),
      refuses("name-empty", [tar(header({ name: "", type: "5" }))], { what: "a directory" }),
    ],
  },
  {
    text: "A bare `./` is the root, and carries its metadata.",
    heldBy: by("flatten-paths", "a bare ./ is the root and carries its metadata"),
    cases: [keeps([tar(dir("./", { mode: 0o1750, uid: 3, gid: 4, ...time, xattrs: { "user.a": "b" } }))])],
  },
  {
    text: "A path goes through the symlinks of the tree so far, inside the image: `bin -> usr/bin` of a lower layer receives `bin/x` at `usr/bin/x`, and stays; an absolute target starts at the image's root, and `..` stops there.",
    heldBy: by(
      "flatten-paths",
      "a lower layer's bin -> usr/bin receives bin/x at /usr/bin/x, and the link stays",
      "absolute link targets start at the image's root",
      "`..` of a link's target stops at the root (as in a chroot)",
    ),
    cases: [
      keeps([usrMerged, tar(file("bin/x", "x", time))], { what: "relative" }),
      keeps(
        [tar(dir("a", time), dir("a/b", time), symlink("a/l", "/a/b", time)), tar(file("a/l/x", "", time))],
        {
          what: "absolute",
        },
      ),
      keeps(
        [
          tar(dir("a", time), dir("etc", time), symlink("a/l", "../../../etc", time)),
          tar(file("a/l/x", "", time)),
        ],
        {
          what: "climbing",
        },
      ),
    ],
  },
  {
    text: "A dangling link on the way is followed, and what it leads to is made.",
    heldBy: by("flatten-paths", "a dangling parent link is followed and its target made"),
    cases: [keeps([tar(symlink("l", "to/there", time)), tar(file("l/x", "", time))])],
  },
  {
    text: "A loop of links on the way is refused, and so are more than 40.",
    heldBy: by(
      "flatten-paths",
      "a loop of links is refused, and so are more than 40 (kernel: MAXSYMLINKS)",
      "links are counted along the whole path, also where a part of it is known already",
    ),
    cases: [
      refuses("symlink-loop", [tar(symlink("l", "l", time), file("l/x", "", time))], { what: "a loop" }),
      keeps([tar(...chain(40), dir("l40", time)), tar(file("l0/x", "", time))], { what: "40 links" }),
      refuses("symlink-loop", [tar(...chain(41), dir("l41", time)), tar(file("l0/x", "", time))], {
        what: "41 links",
      }),
    ],
  },
  {
    text: "No look-up ever happens on the host.",
    heldBy: [
      ...by("flatten-paths", "`..` of a link's target stops at the root (as in a chroot)"),
      ...by("ext4/e2fsprogs-faults", "a name that is a path never gets near the host"),
    ],
    cases: [
      keeps([tar(dir("etc", time), symlink("l", "/etc", time)), tar(file("l/banger-was-here", "", time))]),
    ],
  },
  {
    text: "A missing parent is made: 0755, 0:0, with the time of the entry that needs it.",
    heldBy: by("flatten-paths", "a missing parent is made: 0755, 0:0, time of the entry that needs it"),
    cases: [keeps([tar(file("a/b/c", "", { mode: 0o600, uid: 5, gid: 6, ...time }))])],
  },
  {
    text: "Where a regular file is in the way, a directory replaces it, and that is listed.",
    heldBy: by(
      "flatten-paths",
      "below a regular file: the file is replaced by a directory (umoci), and listed as a loss",
      "below a link to a regular file: that file is replaced, the link stays",
    ),
    cases: [
      keeps([tar(file("f", "old", time)), tar(file("f/x", "", time), dir("f", time))], {
        losses: ["FILE_REPLACED_BY_PARENT"],
      }),
    ],
  },
  {
    text: "Names are bytes: any byte but a slash and NUL, newlines, quotes, `<12>` and what is no UTF-8 included.",
    heldBy: [
      ...by(
        "flatten-paths",
        "names are bytes: newline, quotes, <12>, invalid UTF-8 and prototype names are kept",
      ),
      ...by("tar-formats", "name: bytes that are not UTF-8", "name: bytes that are not UTF-8 in PAX"),
    ],
    cases: [
      keeps(
        [
          tar(
            ...["a\nb", `"q" 'q'`, "<12>", "a\\b", " ", "-n", "\x1b[31m"].map((name) => file(name, "", time)),
          ),
        ],
        { what: "ASCII" },
      ),
      keeps([tar(file("\xff\xfe\x80", "", time))], { what: "no UTF-8, in the header" }),
      keeps([tar(entry("n", { ...time, pax: { path: "\xff\xfe\x80" } }))], { what: "no UTF-8, in PAX" }),
    ],
  },
  {
    text: "A builder that can't carry a name refuses it, and says so.",
    heldBy: by("ext4/e2fsprogs-faults", "names and attributes that debugfs can't be told"),
    cases: [],
  },
  {
    text: "The root can't become anything but a directory: refused.",
    heldBy: by(
      "flatten-paths",
      "the root can't become anything but a directory (umoci: refusing to change type of root directory)",
    ),
    cases: [
      refuses("root-not-directory", [tar(file("./"))], { what: "a file" }),
      refuses("root-not-directory", [tar(symlink("./", "a"))], { what: "a symlink" }),
      refuses("root-not-directory", [tar(file("a"), hardlink("./", "a"))], { what: "a hard link" }),
    ],
  },
];
