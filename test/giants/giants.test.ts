import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { test, type TestContext } from "node:test";
import {
  base256,
  device,
  dir,
  file,
  gnuLong,
  hardlink,
  header,
  paxSparse,
  symlink,
} from "../layers/tar-builder.ts";
import { runProgram } from "../system/program.ts";
import { inStretches, type GiantLayer, type Stretch } from "./giant-layout.ts";
import { pullGiant, refuseGiant, statOf, type Pulled } from "./giant-pull.ts";

/** Images at the ends of what the formats hold, each through a daemon, verified to the last byte. */
const MiB = 2 ** 20;
const GiB = 2 ** 30;

function figures(t: TestContext, { seconds, peakMiB, rootfs }: Pulled): void {
  const allocated = Math.round((statSync(rootfs).blocks * 512) / MiB);
  t.diagnostic(`pull ${seconds} s, daemon's peak ${peakMiB} MiB, image ${allocated} MiB on disk`);
}

const deepPath = "d/".repeat(2046);
const fiveGiB = 5 * GiB;

function* extremes(): Generator<Buffer> {
  yield file("time/earliest", "", { pax: { mtime: "-2147483648" } });
  yield file("time/latest", "", { pax: { mtime: "15032385535" } });
  yield file("time/before-1970", "", { pax: { mtime: "-1.000000001" } });
  yield file("time/after-2038", "", { pax: { mtime: "4294967296.999999999" } });
  yield file("time/too-early", "", { pax: { mtime: "-2147483649" } });
  yield file("time/too-late", "", { pax: { mtime: "15032385536" } });
  yield header({ name: "owner", uid: base256(4_294_967_294, 8), gid: base256(65_536, 8), mode: 0o7777 });
  yield device("device", "character", 4095, 1_048_575);
  yield file("n".repeat(255), "a name of 255 bytes");
  yield dir(`${"\xff".repeat(255)}/`);
  yield symlink("target", "t".repeat(4095));
  yield Buffer.concat([gnuLong(`${deepPath}fil`), file("x", "a path of 4,095 bytes")]);
  yield paxSparse("1.0", "sparse", fiveGiB, [
    { offset: 0, content: "first" },
    { offset: 4 * GiB - 2, content: "across 4 GiB" },
    { offset: fiveGiB - 4, content: "last" },
  ]);
}

test("times, owners, devices, names, targets, paths and holes", async (t) => {
  await pullGiant([inStretches(extremes())], (pulled) => {
    figures(t, pulled);
    const { rootfs, losses } = pulled;
    assert.equal(losses.length, 2, "the two times that ext4 can't hold");
    assert.ok(statSync(rootfs).blocks * 512 < 200 * MiB, "holes stay holes");
    assert.match(statOf(rootfs, "/owner"), /Mode: 07777 .*User: -2 Group: 65536 /);
    assert.match(statOf(rootfs, "/device"), /major\/minor number: 4095:1048575/i);
    assert.match(statOf(rootfs, "/sparse"), /Size: 5368709120 /);
    assert.match(statOf(rootfs, "/time/earliest"), /mtime: 0x80000000:00000000 /);
    assert.match(statOf(rootfs, "/time/latest"), /mtime: 0x7fffffff:00000003 /);
    assert.match(statOf(rootfs, "/time/before-1970"), /mtime: 0xfffffffe:ee6b27fc /);
    assert.match(statOf(rootfs, "/time/too-late"), /mtime: 0x7fffffff:00000003 /);
  });
});

test("a path of 4,097 bytes is refused", async () => {
  const { stderr } = await refuseGiant([inStretches([gnuLong(`${deepPath}filex`), file("x")])]);
  assert.match(stderr, /its name is 4097 bytes long/);
});

function* links(count: number): Generator<Buffer> {
  yield file("first", "one inode", { uid: 7 });
  for (let i = 1; i < count; i++) yield hardlink(`links/${i % 100}/${i}`, "first");
}

test("65,000 names of one inode, and one more", async (t) => {
  await pullGiant([inStretches(links(65_000))], (pulled) => {
    figures(t, pulled);
    assert.match(statOf(pulled.rootfs, "/links/99/64999"), /User: 7 .*Links: 65000 /);
  });
  const { stderr } = await refuseGiant([inStretches(links(65_001))]);
  assert.match(stderr, /too-many-links/);
});

const names = 100_000;

function* wide(): Generator<Buffer> {
  yield dir("wide/", { mode: 0o755, mtime: 1000 });
  for (let i = 0; i < names; i++) {
    const name = `wide/some-name-that-is-not-short-${i}`;
    yield i % 1000 === 0 ? dir(`${name}/`) : i % 100 === 1 ? symlink(name, "target") : header({ name });
  }
}

test("a directory of 100,000 names", async (t) => {
  await pullGiant([inStretches(wide())], (pulled) => {
    figures(t, pulled);
    const { rootfs } = pulled;
    const listing = runProgram("debugfs", ["-R", "ls -p /wide", rootfs]);
    assert.equal(listing.split("\n").filter((line) => line.includes("some-name")).length, names);
    assert.match(statOf(rootfs, "/wide"), new RegExp(`Links: ${2 + names / 1000} `));
    assert.doesNotMatch(runProgram("debugfs", ["-R", "ls -p /", rootfs]), /banger/);
  });
});

/** With "." and "..", as many links as 16 bits take for none; ext4 counts 65,000 (`dir_nlink`). */
test("65,534 directories in a directory", async (t) => {
  const all = function* (): Generator<Buffer> {
    for (let i = 0; i < 65_534; i++) yield dir(`d/${i}/`);
  };
  await pullGiant([inStretches(all())], (pulled) => {
    figures(t, pulled);
    assert.match(statOf(pulled.rootfs, "/d"), /Links: 1 /);
  });
});

/** 3 GiB in pieces of 64 MiB that are the same, each with a block of its own behind it. */
const pieces = 48;
const piece = Buffer.alloc(64 * MiB, createHash("sha512").update("a piece").digest());
const threeGiB = pieces * (piece.length + 512);

function* large(): Generator<Stretch> {
  yield { bytes: header({ name: "large", size: base256(threeGiB, 12) }) };
  for (let i = 0; i < pieces; i++) {
    yield { bytes: piece };
    yield { bytes: Buffer.alloc(512, `piece ${i} `) };
  }
  yield { bytes: Buffer.alloc(1024) };
}

test("a file of 3 GiB, no byte of it a hole", async (t) => {
  await pullGiant([large()], (pulled) => {
    figures(t, pulled);
    assert.match(statOf(pulled.rootfs, "/large"), new RegExp(`Size: ${threeGiB} `));
    assert.ok(statSync(pulled.rootfs).blocks * 512 >= threeGiB);
  });
});

function layer(i: number): GiantLayer {
  return inStretches([file(`layer-${i}`, `${i}`), file("all", `${i}`), file(`.wh.layer-${i - 2}`)]);
}

test("1,000 layers, and one more", async (t) => {
  const layers = (count: number): readonly GiantLayer[] => Array.from({ length: count }, (_, i) => layer(i));
  await pullGiant(layers(1000), (pulled) => {
    figures(t, pulled);
    const listing = runProgram("debugfs", ["-R", "ls -p /", pulled.rootfs]);
    assert.deepEqual(listing.match(/layer-\d+/g)?.sort(), ["layer-998", "layer-999"]);
    assert.equal(runProgram("debugfs", ["-R", "cat /all", pulled.rootfs]), "999");
  });
  const { stderr } = await refuseGiant(layers(1001));
  assert.match(stderr, /1,?001|1,?000/);
});

test("no layer at all", async (t) => {
  await pullGiant([], (pulled) => {
    figures(t, pulled);
    assert.match(statOf(pulled.rootfs, "/"), /Type: directory .*Mode: 0755 /);
  });
});
