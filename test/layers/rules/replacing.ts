import { device, dir, fifo, file, hardlink, symlink, tar } from "../tar-builder.ts";
import { by, keeps, type Rule } from "./rule.ts";

const time = { mtime: 1_000_000_000 };
const later = { mtime: 1_100_000_000 };
const rich = { mode: 0o6751, uid: 7, gid: 8, ...time, xattrs: { "user.old": "1" } };
const over: Readonly<Record<string, Buffer>> = {
  file: file("a", "new", later),
  symlink: symlink("a", "t", later),
  device: device("a", "character", 1, 3, later),
  FIFO: fifo("a", later),
};

export const replacing: readonly Rule[] = [
  {
    text: "A file, link, FIFO or device over anything: unlinked, then made; nothing of the old one's mode, owner or xattrs stays.",
    heldBy: by(
      "flatten-replacing",
      "file, link or device over anything: unlink, then create; nothing of the old one stays",
      "file, link or device over a directory: what was in it goes",
    ),
    cases: [
      ...Object.entries(over).map(([what, entry]) =>
        keeps([tar(file("a", "old", rich)), tar(entry)], { what: `${what} over a file` }),
      ),
      keeps([tar(dir("a", rich), file("a/x", "", time)), tar(file("a", "new", later))], {
        what: "file over a directory",
      }),
      keeps([tar(file("b", "", time), file("a", "old", rich)), tar(hardlink("a", "b"))], {
        what: "hard link over a file",
      }),
    ],
  },
  {
    text: "Other names of the inode that was replaced keep the old data.",
    heldBy: by("flatten-replacing", "other names of a replaced inode keep the old data"),
    cases: [keeps([tar(file("a", "old", rich), hardlink("b", "a")), tar(file("a", "new", later))])],
  },
  {
    text: "A directory over a directory: what is in them merges, all metadata is the newer entry's, xattrs too.",
    heldBy: by(
      "flatten-replacing",
      "directory over directory: children merge, all metadata is the newer entry's, xattrs too",
    ),
    cases: [
      keeps([
        tar(dir("d", rich), file("d/a", "", time)),
        tar(dir("d", { ...later, xattrs: { "user.new": "1" } })),
      ]),
    ],
  },
  {
    text: "A directory over anything else replaces it, a symlink to a directory too.",
    heldBy: by(
      "flatten-replacing",
      "directory over a symlink, even to a directory: replaces it (umoci without keep-dirlinks)",
      "directory over a file, a fifo or a device: replaces it, and nothing is lost unasked",
    ),
    cases: [
      keeps([tar(dir("d", time), file("d/x", "", time), symlink("a", "d", time)), tar(dir("a", later))], {
        what: "over a symlink",
      }),
      keeps([tar(file("a", "old", rich)), tar(dir("a", later))], { what: "over a file" }),
    ],
  },
  {
    text: "A symlink over a directory: what was in it goes, and later entries go through the new link.",
    heldBy: by(
      "flatten-replacing",
      "symlink over a directory: its contents go, later entries resolve through the new link",
      "a symlink that replaces a middle directory is seen by the next entry below it",
    ),
    cases: [
      keeps([
        tar(dir("d", time), file("d/old", "", time), dir("e", time)),
        tar(symlink("d", "e", time), file("d/new", "", time), dir("e", time)),
      ]),
    ],
  },
  {
    text: "Several entries for one path in a layer: the last wins.",
    heldBy: by("flatten-replacing", "several entries for one path in a layer: the last wins"),
    cases: [keeps([tar(file("a", "1", rich), symlink("a", "t", time), file("a", "3", later))])],
  },
  {
    text: "A directory's entry may come after what is in it.",
    heldBy: by("flatten-replacing", "a directory's entry may come after its children"),
    cases: [keeps([tar(file("d/a", "", time), dir("d", { ...later, mode: 0o700, uid: 3 }))])],
  },
  {
    text: "A directory's mtime is that of its last entry, however much came into it or went after that.",
    heldBy: by(
      "flatten-replacing",
      "a directory's mtime is its last entry's, however many children came after",
    ),
    cases: [
      keeps(
        [tar(dir("d", time), file("d/a", "", later), file("d/b", "", later)), tar(file("d/c", "", later))],
        {
          what: "files come",
        },
      ),
      keeps([tar(dir("d", time), file("d/a", "", later)), tar(file("d/.wh.a"))], { what: "a file goes" }),
      keeps([tar(dir("d", time)), tar(dir("d/e", later), hardlink("d/f", "x"), file("x", "", time))], {
        what: "a late hard link comes",
      }),
    ],
  },
];
