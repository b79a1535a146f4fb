import {
  device,
  dir,
  end,
  entry,
  fifo,
  file,
  gnuLong,
  hardlink,
  header,
  symlink,
  tar,
} from "../layers/tar-builder.ts";
import { archives, gzipped, hostileCase, type CaseMaker, type HostileLayer } from "./hostile-case.ts";

type Table = Readonly<Record<string, readonly [expect: string, ...layers: readonly Buffer[]]>>;

/** Where the campaign has put something that must not be touched; layers try to reach it by its path on the host. */
export interface CanaryPlace {
  /** Absolute, on the host. */
  readonly folder: string;
}

const deep = (levels: number): string => "d/".repeat(levels);

/** After the ways out that tar extractors had: GNU tar, Docker (CVE-2018-15664 and others), libarchive, node-tar. */
function traversals({ folder }: CanaryPlace): Table {
  const up = "../".repeat(30);
  return {
    "..": ["path-escapes-root", tar(dir(".."))],
    "../a": ["path-escapes-root", tar(file("../a"))],
    "a/../../b": ["path-escapes-root", tar(file("a/../../b"))],
    "/../a": ["path-escapes-root", tar(file("/../a"))],
    "a/b/../../..": ["path-escapes-root", tar(dir("a/b/../../.."))],
    "a/.. for a file": ["root-not-directory", tar(file("a/.."))],
    ". for a file": ["root-not-directory", tar(file(".", "x"))],
    "/ for a symlink": ["root-not-directory", tar(symlink("/", "/etc"))],
    "./ for a device": ["root-not-directory", tar(device("./", "character", 1, 3))],
    "/ for a hard link": ["root-not-directory", tar(file("a"), hardlink("/", "a"))],
    "the root alone": ["accepted", tar(dir("./", { mode: 0o700, uid: 5 }))],
    "the root at last": ["accepted", tar(file("a"), dir("/", { mode: 0o711 }))],
    "a//b/./c/../d": ["accepted", tar(file("a//b/./c/../d"))],
    "slashes alone": ["accepted", tar(dir("////"))],
    "the canary by its path": ["accepted", tar(file(`${folder}/evil`, "x"))],
    "the canary by ..": ["path-escapes-root", tar(file(`${up}${folder}/evil`, "x"))],
    "a symlink to the canary, and a file through it": [
      "accepted",
      tar(symlink("out", folder), file("out/evil", "x"), dir("out/sub/"), hardlink("out/link", "out/evil")),
    ],
    "a symlink up to the canary": ["accepted", tar(symlink("out", `${up}${folder}`), file("out/evil", "x"))],
    "a symlink in one layer, a file through it in the next": [
      "accepted",
      tar(symlink("out", folder)),
      tar(file("out/evil", "x"), file("out/keep", "gone")),
    ],
    "a symlink to the canary, then a whiteout in it": [
      "accepted",
      tar(symlink("out", folder)),
      tar(file("out/.wh.keep"), file("out/.wh..wh..opq")),
    ],
    "a hard link to the canary": ["link-target-missing", tar(hardlink("evil", `${folder}/keep`))],
    "a hard link up to the canary": ["link-escapes-root", tar(hardlink("evil", `${up}${folder}/keep`))],
    "a hard link through a symlink to the canary": [
      "link-target-missing",
      tar(symlink("out", folder), hardlink("evil", "out/keep")),
    ],
    "a symlink to /proc/self/root": [
      "accepted",
      tar(symlink("out", "/proc/self/root"), file(`out${folder}/evil`, "x")),
    ],
    "a symlink to the staging folder's parent": [
      "accepted",
      tar(symlink("out", ".."), file("out/evil", "x")),
    ],
    "a symlink replaced by a directory between two files": [
      "accepted",
      tar(symlink("out", folder), file("out/one", "1"), dir("out/"), file("out/two", "2")),
    ],
    "a directory replaced by a symlink between two files": [
      "accepted",
      tar(dir("out/"), file("out/one", "1"), symlink("out", folder), file("out/two", "2")),
    ],
    "a symlink to itself": ["accepted", tar(symlink("a", "a"))],
    "a file through a symlink to itself": ["symlink-loop", tar(symlink("a", "a"), file("a/b"))],
    "a circle of two": ["symlink-loop", tar(symlink("a", "b"), symlink("b", "a"), file("a/c"))],
    "a circle across layers": [
      "symlink-loop",
      tar(symlink("a", "b/x")),
      tar(symlink("b", "a")),
      tar(file("b/c")),
    ],
    "40 symlinks in a row": ["accepted", tar(...chain(40), file("l0/f", "x"))],
    "41 symlinks in a row": ["symlink-loop", tar(...chain(41), file("l0/f", "x"))],
    "a dangling symlink": ["accepted", tar(symlink("a", "not/there"), file("a/b", "x"))],
    "a dangling symlink with ..": ["accepted", tar(symlink("a", "not/../there/../.."), file("a/b", "x"))],
    "below a file": ["accepted", tar(file("a", "x"), file("a/b", "y"))],
    "below a device, in the next layer": [
      "accepted",
      tar(device("a", "block", 8, 0)),
      tar(file("a/b/c", "y")),
    ],
    "below a FIFO": ["accepted", tar(fifo("a"), dir("a/b/c/"))],
    "a component of 256 bytes": ["name-too-long", tar(gnuLong(`a/${"n".repeat(256)}/b`), file("x"))],
    "a name too long by a symlink": [
      "name-too-long",
      tar(gnuLong("n".repeat(256), "K"), header({ name: "s", type: "2" }), file("s/f")),
    ],
    "2,000 directories deep": ["accepted", tar(gnuLong(`${deep(2000)}f`), file("x", "deep"))],
    "deeper than a path may be, by a symlink": [
      "path-too-long",
      tar(
        gnuLong(deep(2000)),
        dir("x/"),
        gnuLong(deep(2000), "K"),
        header({ name: "s", type: "2" }),
        gnuLong(`s/${deep(2000)}f`),
        file("x"),
      ),
    ],
    "lost+found": ["accepted", tar(dir("lost+found/", { mode: 0o755, uid: 3 }), file("lost+found/#11", "x"))],
    "a file for lost+found": ["lost-and-found-not-directory", tar(file("lost+found", "x"))],
    "a FIFO with a newline in its name": ["LAYER_UNENCODABLE", tar(fifo("a\nb"))],
    "a device with a quote in its name": ["accepted", tar(device('a" <2>', "character", 5, 1))],
    "names that differ in case": ["accepted", tar(file("a", "1"), file("A", "2"))],
    "names that differ in normalisation": ["accepted", tar(file("\xc3\xa9", "1"), file("e\xcc\x81", "2"))],
    "a directory's own time after its children": [
      "accepted",
      tar(file("d/a"), dir("d/", { mtime: 77 }), file("d/b")),
    ],
    "no write to a directory, and a file in it": [
      "accepted",
      tar(dir("d/", { mode: 0 }), file("d/f", "x", { mode: 0 }), dir("d/e/", { mode: 0 })),
    ],
    "setuid and sticky everywhere": [
      "accepted",
      tar(dir("d/", { mode: 0o7777 }), file("d/f", "x", { mode: 0o7777 })),
    ],
  };
}

/** `l0 -> l1 -> … -> end`, so many links. */
function chain(links: number): readonly Buffer[] {
  return Array.from({ length: links }, (_, i) => symlink(`l${i}`, i === links - 1 ? "end" : `l${i + 1}`));
}

const linkTable: Table = {
  "to itself": ["link-to-itself", tar(hardlink("a", "a"))],
  "to itself by another spelling": ["link-to-itself", tar(hardlink("a", "./b/../a"))],
  "a cycle of two": ["link-cycle", tar(hardlink("a", "b"), hardlink("b", "a"))],
  "a cycle of three, and a way in": [
    "link-cycle",
    tar(hardlink("x", "a"), hardlink("a", "b"), hardlink("b", "c"), hardlink("c", "a")),
  ],
  "to a directory": ["link-target-directory", tar(dir("d/"), hardlink("a", "d"))],
  "to the root": ["link-target-directory", tar(hardlink("a", "/"))],
  "to nothing": ["link-target-missing", tar(hardlink("a", "missing"))],
  "below a file": ["link-target-missing", tar(file("f"), hardlink("a", "f/g"))],
  "to what comes later": ["accepted", tar(hardlink("a", "later"), file("later", "x"))],
  "to what comes later and goes again": [
    "accepted",
    tar(hardlink("a", "later"), file("later", "x"), symlink("later", "y")),
  ],
  "to a symlink": ["accepted", tar(symlink("s", "nowhere"), hardlink("a", "s"), hardlink("b", "a"))],
  "to a device": ["accepted", tar(device("n", "character", 1, 3), hardlink("m", "n"))],
  "to a FIFO": ["accepted", tar(fifo("n"), hardlink("m", "n"))],
  "of a lower layer": ["accepted", tar(file("f", "x")), tar(hardlink("g", "f"))],
  "to what its layer hides": ["accepted", tar(file("f", "x")), tar(file(".wh.f"), hardlink("g", "f"))],
  "to what its layer hides, marker last": [
    "accepted",
    tar(file("f", "x")),
    tar(hardlink("g", "f"), file(".wh.f")),
  ],
  "to what a lower layer hid": [
    "link-target-missing",
    tar(file("f", "x")),
    tar(file(".wh.f")),
    tar(hardlink("g", "f")),
  ],
  "to a marker": ["link-target-missing", tar(file(".wh.f"), hardlink("g", ".wh.f"))],
  "through a circle of symlinks": ["symlink-loop", tar(symlink("s", "s"), hardlink("g", "s/f"))],
  "with an owner, a mode and a time of its own": [
    "accepted",
    tar(file("f", "x"), hardlink("g", "f", { uid: 9, mode: 0o4777, mtime: 99 })),
  ],
  "then its file again": ["accepted", tar(file("f", "1"), hardlink("g", "f"), file("f", "2"))],
  "then its file again in the next layer": [
    "accepted",
    tar(file("f", "1"), hardlink("g", "f")),
    tar(file("f", "2"), hardlink("h", "g")),
  ],
  "over its own file's directory": ["link-target-missing", tar(file("d/f", "x"), hardlink("d", "d/f"))],
  "a target that climbs": ["link-escapes-root", tar(hardlink("a", "../f"))],
  "a target of 4,097 bytes": [
    "limit-path",
    tar(gnuLong("t".repeat(4097), "K"), header({ name: "a", type: "1" })),
  ],
};

const whiteoutTable: Table = {
  ".wh.": ["whiteout-empty-name", tar(file(".wh."))],
  ".wh..": ["whiteout-dot-name", tar(file("d/.wh.."))],
  ".wh...": ["whiteout-dot-name", tar(file("d/.wh..."))],
  "a marker as a folder": ["whiteout-in-path", tar(file(".wh.a/b"))],
  "the opaque marker as a folder": ["whiteout-in-path", tar(file(".wh..wh..opq/b"))],
  "a marker of nothing": ["accepted", tar(file("not/there/.wh.x"))],
  "a marker and its file": ["accepted", tar(file("a", "old")), tar(file("a", "new"), file(".wh.a"))],
  "a marker that is a directory": ["accepted", tar(file("a")), tar(dir(".wh.a/"))],
  "a marker that is a symlink": ["accepted", tar(file("a")), tar(symlink(".wh.a", "/etc"))],
  "a marker that is a device": ["accepted", tar(file("a")), tar(device(".wh.a", "character", 0, 0))],
  "a marker that is a hard link": ["either", tar(file("a")), tar(file("b"), hardlink(".wh.a", "b"))],
  "a marker with content": ["accepted", tar(file("a")), tar(file(".wh.a", "x".repeat(9000)))],
  "a marker of a marker": ["accepted", tar(file("a")), tar(file(".wh..wh.a"))],
  "a marker that climbs": ["path-escapes-root", tar(file("../.wh.etc"))],
  "a marker through a symlink": [
    "accepted",
    tar(dir("real/"), file("real/a"), symlink("s", "real")),
    tar(file("s/.wh.a")),
  ],
  "a marker through a circle": ["symlink-loop", tar(symlink("s", "s")), tar(file("s/.wh.a"))],
  "a marker of the root": ["whiteout-empty-name", tar(file("/.wh."))],
  "opaque at the root": ["accepted", tar(file("a"), dir("d/")), tar(file(".wh..wh..opq"), file("b"))],
  "opaque twice": [
    "accepted",
    tar(file("d/a")),
    tar(file("d/.wh..wh..opq"), file("d/b"), file("d/.wh..wh..opq")),
  ],
  "opaque below what a marker hides": [
    "accepted",
    tar(file("d/e/a")),
    tar(file(".wh.d"), file("d/e/.wh..wh..opq"), file("d/e/b")),
  ],
  "opaque in a new symlink": [
    "accepted",
    tar(file("d/a"), dir("e/")),
    tar(symlink("s", "d"), file("s/.wh..wh..opq")),
  ],
  "AUFS's own": [
    "accepted",
    tar(
      dir(".wh..wh.plnk/"),
      file(".wh..wh.plnk/1.2", "x"),
      file(".wh..wh.aufs"),
      dir(".wh..wh.orph/"),
      hardlink("a", ".wh..wh.plnk/1.2"),
    ),
  ],
  "a marker by way of a symlink's name": ["whiteout-in-path", tar(symlink("s", ".wh.x"), file("s/a"))],
  "a marker in an uppercase of no meaning": ["accepted", tar(file(".WH.a"))],
};

/** Few bytes, much work for who does each anew. */
const floods: Readonly<Record<string, readonly [expect: string, make: () => readonly HostileLayer[]]>> = {
  "a chain of 50,000 hard links, backwards": [
    "accepted",
    () =>
      gzipped(
        tar(...Array.from({ length: 50_000 }, (_, i) => hardlink(`l${i}`, `l${i + 1}`)), file("l50000", "x")),
      ),
  ],
  "2,000 files behind 40 long symlinks each": [
    "accepted",
    () => gzipped(tar(...longLinks(), ...Array.from({ length: 2000 }, (_, i) => file(`s0/x${i}/f`)))),
  ],
  "2,000 markers in folders 1,000 deep": [
    "too-many-steps",
    () => [...gzipped(tar(...deepFiles("f"))), ...gzipped(tar(...deepFiles(".wh.f")))],
  ],
  "2,000 paths that part at the root": [
    "accepted",
    () =>
      gzipped(
        tar(
          ...Array.from({ length: 2000 }, (_, i) =>
            Buffer.concat([gnuLong(`${i}/${deep(100)}f`), file("x")]),
          ),
        ),
      ),
  ],
  "20,000 turns of a directory and a symlink": [
    "accepted",
    () =>
      gzipped(
        Buffer.concat([
          ...Array.from({ length: 20_000 }, (_, i) => (i % 2 === 0 ? dir("a/") : symlink("a", "b"))),
          end,
        ]),
      ),
  ],
  "2,000 symlinks of 1 KiB": [
    "either",
    () =>
      gzipped(
        Buffer.concat([
          ...Array.from({ length: 2000 }, (_, i) =>
            entry(`s${i}`, { type: "2", pax: { linkpath: "t".repeat(1024) } }),
          ),
          end,
        ]),
      ),
  ],
};

/** Forty links, each through a thousand folders to the next. */
function longLinks(): readonly Buffer[] {
  const links = Array.from({ length: 39 }, (_, i) =>
    symlink(`s${i}`, `${deep(1000)}../`.replaceAll("d/", "./") + `../s${i + 1}`),
  );
  return [...links, dir("s39/")];
}

function deepFiles(name: string): readonly Buffer[] {
  return Array.from({ length: 2000 }, (_, i) =>
    Buffer.concat([gnuLong(`${deep(1000)}e${i}/${name}`), file("x")]),
  );
}

export function pathCases(place: CanaryPlace): readonly CaseMaker[] {
  const tables = { path: traversals(place), "hard link": linkTable, whiteout: whiteoutTable };
  const plain = Object.entries(tables).flatMap(([topic, table]) =>
    Object.entries(table).map(([name, [expect, ...layers]]) =>
      hostileCase(
        `${topic}: ${name}`,
        expect,
        () => archives(...layers),
        expect === "LAYER_UNENCODABLE" ? "alone" : "together",
      ),
    ),
  );
  const heavy = Object.entries(floods).map(([name, [expect, make]]) =>
    hostileCase(`flood: ${name}`, expect, make, "no"),
  );
  return [...plain, ...heavy];
}
