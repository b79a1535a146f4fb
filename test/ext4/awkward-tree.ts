import { accessAcl, noise } from "./sample-tree.ts";
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

const GiB = 1024 ** 3;

/** Every byte that a name may have and a line of debugfs may too, in names of 200 bytes at most. */
function everyByte(): readonly string[] {
  const bytes = Array.from({ length: 255 }, (_, i) => i + 1).filter((byte) => ![10, 13, 47].includes(byte));
  const all = String.fromCharCode(...bytes);
  return [all.slice(0, 126), all.slice(126)];
}

const oddNames: readonly string[] = [
  "a b",
  " lead",
  "trail ",
  "tab\there",
  'quo"te',
  '"',
  '""',
  "'single'",
  "back\\slash",
  "\\",
  "<12>",
  "<2>",
  "#hash",
  "!bang",
  "-f",
  "--",
  "-",
  "$(id)",
  "`id`",
  ";ls",
  "*",
  "?",
  "~",
  "...",
  "\xff\xfe",
  "caf\xe9",
  "\u00c3\u00a9",
  "\x1b[31m",
  "\x7f",
  "x".repeat(255),
  "\xff".repeat(255),
  '"'.repeat(255),
  ...everyByte(),
];

/** Names that no line of a script can hold; fine for what mkfs copies. */
const brokenNames = ["new\nline", "\n", "carriage\rreturn", "\r", "a\n\nquit\n"];

/** Names that only debugfs makes, each awkward for its command language. */
function lateNames(): Record<string, Described> {
  const children: Record<string, Described> = {};
  const time = { mtime: { seconds: 1_234_567_890, nanoseconds: 987_654_321 } };
  for (const [i, name] of oddNames.entries()) {
    const meta = { ...time, mode: 0o640, uid: i, gid: 1000 + i };
    children[name] = i % 3 === 0 ? fifo(meta) : device(i % 3 === 1 ? "character" : "block", i, i * 100, meta);
  }
  return children;
}

function stagedNames(): Record<string, Described> {
  const children: Record<string, Described> = {};
  const meta = { uid: 7, xattrs: { 'user.a "b" c': "v" } };
  for (const [i, name] of [...oddNames, ...brokenNames].entries()) {
    children[name] = i % 3 === 0 ? file(name, meta) : i % 3 === 1 ? dir({ [name]: file("") }) : link(name);
  }
  return children;
}

/** A path of `bytes` bytes, made of directories with names of `nameBytes`, and something at its end. */
function deep(bytes: number, nameBytes: number, end: Described): Described {
  let inner = end;
  for (let left = bytes; left > 0; left -= nameBytes + 1)
    inner = dir({ ["d".repeat(Math.min(nameBytes, left))]: inner });
  return inner;
}

function times(): Record<string, Described> {
  const at = (seconds: number, nanoseconds: number): { mtime: { seconds: number; nanoseconds: number } } => ({
    mtime: { seconds, nanoseconds },
  });
  const moments = [-(2 ** 31), -(2 ** 31) + 1, -2, -1, 0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1].concat([
    2 ** 32 - 1,
    2 ** 32,
    2 ** 33 - 1,
    2 ** 33,
    3 * 2 ** 32 + 2 ** 31 - 1,
  ]);
  const children: Record<string, Described> = {};
  for (const seconds of moments) {
    for (const nanoseconds of [0, 1, 999_999_999]) {
      const name = `${seconds}.${nanoseconds}`;
      children[name] = file("t", at(seconds, nanoseconds));
      children[`${name}.dir`] = dir({}, at(seconds, nanoseconds));
      children[`${name}.link`] = link("t", at(seconds, nanoseconds));
      children[`${name}.pipe`] = fifo(at(seconds, nanoseconds));
    }
  }
  return children;
}

function xattrs(): Record<string, Described> {
  const capability = Buffer.from("0100000280000000000000000000000000000000", "hex");
  const metas: Record<string, Record<string, Buffer | string>> = {
    capability: { "security.capability": capability },
    empty: { "user.empty": "" },
    quoted: { "user.q": '"a" ""\\"', "user.nul": "\0a\0", "user.lines": "a\nb\r\n" },
    "odd names": { 'user."': "1", "user. ": "2", "user.<2>": "3", "user.\xff": "4" },
    many: Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`user.n${i}`, noise(i, `n${i}`)])),
    large: { "user.large": noise(3900) },
    both: {
      "user.small": "in the inode",
      "user.large": noise(3000),
      "security.selinux": "system_u:object_r:t\0",
    },
    trusted: { "trusted.x": "y" },
    acl: { "system.posix_acl_access": accessAcl },
  };
  const children: Record<string, Described> = {};
  for (const [name, attributes] of Object.entries(metas)) {
    children[name] = file("x", { xattrs: attributes });
    children[`${name}.dir`] = dir({}, { xattrs: attributes });
  }
  children["acl.dir"] = dir(
    {},
    { mode: 0o750, xattrs: { "system.posix_acl_access": accessAcl, "system.posix_acl_default": accessAcl } },
  );
  children["link"] = link("x", { xattrs: { "security.selinux": "s\0" } });
  children["long link"] = link("x".repeat(3000), { xattrs: { "security.selinux": "s\0" } });
  children["node"] = device("character", 1, 3, {
    xattrs: { "security.selinux": "s\0", "trusted.t": noise(500) },
  });
  children["pipe"] = fifo({ xattrs: { "security.selinux": "s\0" } });
  return children;
}

function modes(): Record<string, Described> {
  const children: Record<string, Described> = {};
  for (const mode of [
    0, 0o1, 0o111, 0o222, 0o400, 0o444, 0o777, 0o1777, 0o2755, 0o4755, 0o6755, 0o7777, 0o7000,
  ]) {
    const meta = { mode, uid: mode, gid: 4_294_967_295 - mode };
    children[`f${mode.toString(8)}`] = file("secret", meta);
    children[`d${mode.toString(8)}`] = dir({ inside: file("x", meta) }, meta);
    children[`c${mode.toString(8)}`] = device("character", 5, 1, meta);
  }
  for (const id of [0, 1, 65_534, 65_535, 65_536, 99_999, 2 ** 31, 4_294_967_294, 4_294_967_295])
    children[`u${id}`] = file("", { uid: id, gid: 4_294_967_295 - id });
  return children;
}

function devices(): Record<string, Described> {
  const children: Record<string, Described> = {};
  const numbers = [0, 1, 255, 256, 4095].flatMap((major) =>
    [0, 1, 255, 256, 65_535, 65_536, 1_048_575].map((minor) => [major, minor] as const),
  );
  for (const [major, minor] of numbers) {
    children[`c${major}:${minor}`] = device("character", major, minor);
    children[`b${major}:${minor}`] = device("block", major, minor, { mode: 0o7777 });
  }
  return children;
}

/** Many names of each kind of inode, in several directories. */
function links(): Record<string, Described> {
  const shared: Record<string, Described> = {
    file: file(noise(5000)),
    empty: file("", { mode: 0o4711 }),
    symlink: link("target"),
    "long symlink": link("t".repeat(2000)),
    character: device("character", 10, 200),
    block: device("block", 259, 70_000),
    pipe: fifo(),
  };
  const folder = (suffix: string, count: number): Described =>
    dir(
      Object.fromEntries(
        Object.entries(shared).flatMap(([name, inode]) =>
          Array.from({ length: count }, (_, i) => [`${name}-${suffix}-${i}-${"n".repeat(200)}`, inode]),
        ),
      ),
    );
  return { here: folder("here", 30), there: folder("there", 1), "<2>": folder('odd "name"', 3) };
}

/** What real images hardly have, and the format allows. Without what a debugfs script can't say. */
export function awkwardTree(): BuiltTree {
  return buildTree(
    dir(
      {
        late: dir(lateNames()),
        staged: dir(stagedNames()),
        times: dir(times()),
        xattrs: dir(xattrs()),
        modes: dir(modes()),
        devices: dir(devices()),
        links: dir(links()),
        deep: deep(4080, 255, file("at the bottom", { mode: 0o4755, uid: 12 })),
        steep: deep(4090, 3, device("character", 1, 3)),
        sinking: deep(4000, 99, dir({ one: link("elsewhere"), two: file(noise(100_000)), three: fifo() })),
        "lost+found": dir({ "#123": file("found", { mode: 0 }), more: dir({}) }, { mode: 0o711, uid: 3 }),
        sparse: sparse(5 * GiB, [
          { offset: 100, bytes: noise(10_000, "s") },
          { offset: 3 * GiB - 1, bytes: noise(2, "t") },
          { offset: 5 * GiB - 1, bytes: Buffer.from("z") },
        ]),
        hole: sparse(GiB, []),
        checkered: sparse(
          8 * 4096 * 600,
          Array.from({ length: 600 }, (_, i) => ({ offset: i * 8 * 4096, bytes: noise(4096, `k${i % 5}`) })),
        ),
        zeros: file(Buffer.alloc(100_000)),
        "symlink mode": link("x", { mode: 0o1234, uid: 5 }),
        "longest link": link("l".repeat(4095)),
      },
      { mode: 0o1751, uid: 1, gid: 2, xattrs: { "user.root": "r" }, mtime: { seconds: 12, nanoseconds: 34 } },
    ),
  );
}
