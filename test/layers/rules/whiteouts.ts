import { device, dir, entry, file, hardlink, symlink, tar } from "../tar-builder.ts";
import { by, keeps, refuses, type Rule } from "./rule.ts";

const time = { mtime: 1_000_000_000 };
const lower = tar(
  dir("d", time),
  file("d/a", "a", time),
  file("d/b", "b", time),
  dir("d/e", time),
  file("d/e/c", "c", time),
);
const marker = file("d/.wh.a");
const opaque = file("d/.wh..wh..opq");
const dirAgain = dir("d", time);

export const whiteouts: readonly Rule[] = [
  {
    text: "`.wh.NAME` hides NAME of the layers below.",
    heldBy: by(
      "flatten-whiteouts",
      "`.wh.NAME` hides NAME of the layers below (OCI image-spec, layer.md, Whiteouts)",
      "a whiteout reaches through every layer below, and not those above",
    ),
    cases: [
      keeps([lower, tar(marker, dirAgain)], { what: "a file" }),
      keeps([lower, tar(file("d/.wh.e"), dirAgain)], { what: "a directory" }),
    ],
  },
  {
    text: "Never that of its own layer, whatever the order of entries.",
    heldBy: by(
      "flatten-whiteouts",
      "never of its own layer, whatever the order of entries (umoci tar_extract_test.go: marker first and last)",
    ),
    cases: [
      keeps([lower, tar(marker, file("d/a", "new", time), dirAgain)], { what: "marker first" }),
      keeps([lower, tar(file("d/a", "new", time), marker, dirAgain)], { what: "marker last" }),
      keeps([lower, tar(file("d/e/new", "", time), dir("d/e", time), file("d/.wh.e"), dirAgain)], {
        what: "of a directory, last",
      }),
    ],
  },
  {
    text: "`.wh..wh..opq` hides all that the layers below have in its directory, at every depth; the directory and its own layer's entries stay, in any order.",
    heldBy: by(
      "flatten-whiteouts",
      "the opaque marker hides all that the layers below have in that directory, at every depth",
      "with an opaque marker this layer's entries stay, in any order",
    ),
    cases: [
      keeps([lower, tar(opaque, file("d/new", "", time), dirAgain)], { what: "marker first" }),
      keeps([lower, tar(file("d/e/new", "", time), dir("d/e", time), opaque, dirAgain)], {
        what: "marker last",
      }),
      keeps([lower, tar(file(".wh..wh..opq"), file("new", "", time))], { what: "in the root" }),
    ],
  },
  {
    text: "A marker is one by its name alone, whatever its type flag.",
    heldBy: by("flatten-whiteouts", "a whiteout counts by name alone, whatever the type flag (umoci)"),
    cases: [
      keeps([lower, tar(dir("d/.wh.a"), dirAgain)], { what: "a directory" }),
      keeps([lower, tar(symlink("d/.wh.a", "x"), dirAgain)], { what: "a symlink" }),
      keeps([lower, tar(hardlink("d/.wh.a", "nothing"), dirAgain)], { what: "a hard link to nothing" }),
      keeps([lower, tar(device("d/.wh.a", "character", 0, 0), dirAgain)], { what: "a device" }),
    ],
  },
  {
    text: "The marker itself is never in the tree.",
    heldBy: by(
      "flatten-whiteouts",
      "the marker is never in the tree, and a name that only contains .wh. is a name",
    ),
    cases: [keeps([tar(file(".wh.x"), file("a.wh.b", "", time), file("d/.wh.y"), dirAgain)])],
  },
  {
    text: "A marker of what does not exist does nothing, and no parent is made for it.",
    heldBy: by(
      "flatten-whiteouts",
      "a marker of what does not exist: nothing happens, and no parent is made",
    ),
    cases: [
      keeps([lower, tar(file("d/.wh.none"), dirAgain)], { what: "no such name" }),
      keeps([tar(file("f", "", time)), tar(file("no/such/.wh.x"))], { what: "no such parent" }),
      keeps([tar(file("f", "", time)), tar(file("no/such/.wh..wh..opq"))], { what: "no such opaque parent" }),
      keeps([tar(file("f", "", time)), tar(file("f/.wh.x"))], { what: "below a file" }),
    ],
  },
  {
    text: "A marker's directory is looked up through symlinks, as any path is.",
    heldBy: by(
      "flatten-whiteouts",
      "a marker's parent is resolved through symlinks like any path's",
      "an opaque marker in a directory that replaces a symlink leaves alone what the link led to (overlayfs, BuildKit)",
    ),
    cases: [
      keeps([lower, tar(symlink("l", "/d", time)), tar(file("l/.wh.a"), dirAgain)], { what: "plain" }),
      keeps([lower, tar(symlink("l", "/d", time)), tar(file("l/.wh..wh..opq"), dirAgain)], {
        what: "opaque",
      }),
      keeps([lower, tar(symlink("l", "d", time)), tar(dir("l", time), file("l/.wh..wh..opq"))], {
        what: "opaque, in a directory over the link",
      }),
      keeps([lower, tar(symlink("l", "d", time)), tar(file("l/.wh..wh..opq"), dir("l", time))], {
        what: "the same, marker first",
      }),
    ],
  },
  {
    text: "`.wh.` alone, `.wh..` and `.wh...` are refused: they name nothing, the directory itself, and the one above.",
    heldBy: by(
      "flatten-whiteouts",
      "refused: .wh. alone, .wh.., .wh... (umoci, containerd: invalid whiteout name)",
    ),
    cases: [
      refuses("whiteout-empty-name", [lower, tar(file("d/.wh."))], { what: "`.wh.`" }),
      refuses("whiteout-dot-name", [lower, tar(file("d/.wh.."))], { what: "`.wh..`" }),
      refuses("whiteout-dot-name", [lower, tar(file("d/.wh..."))], { what: "`.wh...`" }),
      refuses("whiteout-empty-name", [lower, tar(file(".wh."))], { what: "`.wh.` in the root" }),
    ],
  },
  {
    text: "A marker with a slash, which is a middle component `.wh.x`, is refused; so is one that a dangling link would make.",
    heldBy: by(
      "flatten-whiteouts",
      "refused: a whiteout with a slash, and a middle component .wh.x",
      "refused: a component .wh.x that a dangling link would make",
    ),
    cases: [
      refuses("whiteout-in-path", [lower, tar(file("d/.wh.e/c"))], { what: "middle" }),
      refuses("whiteout-in-path", [tar(symlink("l", ".wh.x")), tar(file("l/f"))], { what: "dangling link" }),
    ],
  },
  {
    text: "AUFS's own `.wh..wh.aufs`, `.wh..wh.orph` and `.wh..wh.plnk` are left out, and listed; hard links into the last resolve.",
    heldBy: by(
      "flatten-whiteouts",
      "AUFS's own names are left out of the tree, and listed (moby: archive.go, UnpackLayer)",
      "hard links into .wh..wh.plnk resolve, before and after its entry",
    ),
    cases: [
      keeps([tar(file(".wh..wh.aufs"), dir(".wh..wh.orph"), dir(".wh..wh.plnk"), file("f", "", time))], {
        what: "the three",
        losses: ["AUFS_METADATA"],
      }),
      keeps(
        [tar(dir(".wh..wh.plnk"), file(".wh..wh.plnk/1.2", "x", time), hardlink("f", ".wh..wh.plnk/1.2"))],
        {
          what: "a link",
          losses: ["AUFS_METADATA"],
        },
      ),
    ],
  },
  {
    text: "A character device 0:0 is a device, and no whiteout.",
    heldBy: by("flatten-whiteouts", "a character device 0:0 is a device, not a whiteout"),
    cases: [keeps([lower, tar(device("d/a", "character", 0, 0, time), dirAgain)], { needsExt4: true })],
  },
  {
    text: "`trusted.overlay.*` is data about nothing here: dropped, and listed.",
    heldBy: by("xattrs", "namespaces: those that the disk holds are kept, the others listed"),
    cases: [
      keeps(
        [
          lower,
          tar(entry("d", { type: "5", mode: 0o755, ...time, xattrs: { "trusted.overlay.opaque": "y" } })),
        ],
        {
          losses: ["XATTR_NAMESPACE"],
          needsExt4: true,
        },
      ),
    ],
  },
];
