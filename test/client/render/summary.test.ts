import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  BootReadinessSchema,
  ImageSchema,
  LossSchema,
  type Image,
} from "../../../gen/banger/image/v1/image_pb.ts";
import { speaksUtf8 } from "../../../src/base/locale.ts";
import { asciiText } from "../../../src/client/render/ascii.ts";
import { lossSentences, lossWords } from "../../../src/client/render/loss-text.ts";
import { emptyPull, reducePull, type PullModel } from "../../../src/client/render/pull-model.ts";
import { drawSummary, nextSteps } from "../../../src/client/render/pull-summary.ts";
import { stageChart } from "../../../src/client/render/stage-chart.ts";
import { displayWidth, wrapWords } from "../../../src/client/render/text.ts";
import { lossKinds } from "../../../src/layers/index/format.ts";
import * as make from "../events.ts";

const home = "/home/ada";

const rootfsPath = `${home}/.local/state/banger/images/0123456789abcdef01234567/rootfs.ext4`;

/** The image of the events, with more known of it. */
function imageWith(more: MessageInitShape<typeof ImageSchema>): Image {
  const { $typeName: _, ...image } = make.image;
  const bootReadiness = create(BootReadinessSchema, { initPath: "/lib/systemd/systemd" });
  return create(ImageSchema, { ...image, rootfsPath, bootReadiness, ...more });
}

const bootable = imageWith({});

function model(image: Image = bootable, alreadyPresent = false): PullModel {
  const whole = make.wholePull().reduce(reducePull, emptyPull);
  const { published } = whole;
  assert.ok(published !== undefined);
  return { ...whole, published: { ...published, image, alreadyPresent } };
}

const page = { width: 80, colour: false, home };

test("the summary at 80 columns", () => {
  assert.deepEqual(drawSummary(model(), page), [
    "✓ debian-bookworm is ready, in 1.9 s",
    "",
    "  resolve  250 ms  ━━╸        2 layers, 20.0 MiB to fetch",
    "  fetch    800 ms  ━━━━━━━━   10.0 MiB, 1 of 2 layers from the cache",
    "  scan     400 ms  ━━━━       2,468 entries, 60.0 MiB inflated",
    "  flatten   20 ms  ╸          6,547 inodes, 100 MiB, 12 hidden, 1 loss",
    "  build    900 ms  ━━━━━━━━━  200 MiB, 100 MiB written (direct)",
    "  own       60 ms  ╸          54 changes to 6,547 inodes, 2 devices, 1 xattr",
    "  verify   400 ms  ━━━━       6,547 inodes as the layers say, 100 MiB hashed",
    "  publish  100 ms  ━          img-0123456789ab",
    "",
    "  rootfs   ~/.local/state/banger/images/0123456789abcdef01234567/rootfs.ext4",
    "  size     200 MiB, of which 110 MiB take space on this disk",
    "  from     docker.io/library/debian:bookworm (ffffffffffff)",
    "  losses   1 time that ext4 can't hold, moved to the nearest that it can: /old",
    "  boots    /lib/systemd/systemd, once it has a kernel",
    "",
    "→ banger image inspect debian-bookworm   all that is known of it",
    "→ banger kernel pull --help   where to get kernels for --kernel-ref",
  ]);
});

test("at 200 columns bars are longer, and no longer than the eye follows", () => {
  const lines = drawSummary(model(), { ...page, width: 200 });
  assert.equal(lines[6], `  build    900 ms  ${"━".repeat(30)}  200 MiB, 100 MiB written (direct)`);
});

for (const width of [1, 10, 20, 40, 80, 200]) {
  test(`at ${width} columns only what is to be copied may be wider`, () => {
    const obstacles = ["the loader /lib64/ld-linux-x86-64.so.2 that the init asks for is not in the image"];
    const long = imageWith({
      reference: `registry.example/${"deep/".repeat(60)}app:latest`,
      bootReadiness: { initPath: "", obstacles },
    });
    for (const line of [
      ...drawSummary(model(), { ...page, width }),
      ...drawSummary(model(long), { ...page, width }),
    ]) {
      if (/^→ banger|^ {2}rootfs/.test(line)) continue;
      assert.ok(displayWidth(line) <= width, JSON.stringify(line));
    }
  });
}

test("without colours no escape, and with them the same text", () => {
  const plain = drawSummary(model(), page);
  const coloured = drawSummary(model(), { ...page, colour: true });
  assert.deepEqual(
    // oxlint-disable-next-line no-control-regex -- colours are control sequences
    coloured.map((line) => line.replace(/\u001b\[\d+m/g, "")),
    plain,
  );
  assert.ok(coloured.some((line) => line.includes("\u001b[")));
  assert.ok(!plain.some((line) => line.includes("\u001b")));
});

test("in ASCII it is as wide, and says the same", () => {
  const lines = drawSummary(model(), page);
  const ascii = lines.map(asciiText);
  // oxlint-disable-next-line no-control-regex -- all of ASCII is what it is for
  for (const line of ascii) assert.match(line, /^[\u0020-\u007e]*$/);
  assert.deepEqual(ascii.map(displayWidth), lines.map(displayWidth));
  assert.equal(ascii[3], "  fetch    800 ms  ========   10.0 MiB, 1 of 2 layers from the cache");
  assert.equal(asciiText("grün 日本 ✓"), "gr?n ???? +");
});

const locales: readonly (readonly [Readonly<Record<string, string>>, boolean])[] = [
  [{}, false],
  [{ LANG: "en_US.UTF-8" }, true],
  [{ LANG: "C.utf8" }, true],
  [{ LANG: "en_US.UTF-8", LC_ALL: "C" }, false],
  [{ LANG: "de_DE@euro", LC_CTYPE: "en_US.UTF-8" }, true],
  [{ LANG: "POSIX" }, false],
  [{ LC_ALL: "", LANG: "C.UTF-8" }, true],
];

for (const [env, utf8] of locales) {
  test(`${JSON.stringify(env)} ${utf8 ? "is" : "is not"} UTF-8`, () => assert.equal(speaksUtf8(env), utf8));
}

test("an image that was there already has no times", () => {
  const lines = drawSummary(model(bootable, true), page);
  assert.equal(lines[0], "✓ debian-bookworm was there already; nothing was built");
  assert.ok(!lines.some((line) => line.includes("━") || line.includes(" ms ")));
});

test("what stops it from booting is said, and no machine is offered", () => {
  const obstacles = ["there is no init in the image"];
  const image = imageWith({ bootReadiness: { initPath: "", obstacles } });
  assert.ok(drawSummary(model(image), page).includes("  boots    not yet: there is no init in the image"));
  assert.deepEqual(
    nextSteps(image).map(({ command }) => command),
    ["banger image inspect debian-bookworm"],
  );
});

test("with a kernel the next command starts it", () => {
  const boot = { kernelName: "microvm", kernelPath: "/k", kernelVersion: "6.1.9", warnings: ["no vsock"] };
  const image = imageWith({ name: "", boot });
  const lines = drawSummary(model(image), page);
  assert.ok(lines.includes("  boots    /lib/systemd/systemd, with Linux 6.1.9 (microvm)"));
  assert.ok(lines.includes("           kernel: no vsock"));
  assert.equal(lines.at(-1), "→ banger image inspect img-0123456789ab --vmm qemu   prints what starts it");
});

test("a home is ~ only where a shell reads it so", () => {
  const path = (rootfsPath: string, at: string | undefined): string | undefined =>
    drawSummary(model(imageWith({ rootfsPath })), { ...page, home: at })
      .find((line) => line.startsWith("  rootfs"))
      ?.slice("  rootfs   ".length);
  assert.equal(path("/home/ada/x", home), "~/x");
  assert.equal(path("/home/ada/x y", home), "/home/ada/x y");
  assert.equal(path("/home/adam/x", home), "/home/adam/x");
  assert.equal(path("/x", "/"), "/x");
  assert.equal(path("/x", undefined), "/x");
});

test("every loss has words; many of a kind are one line; a kind of a newer daemon is shown as it is", () => {
  assert.deepEqual(Object.keys(lossWords).sort(), [...lossKinds].sort());
  const loss = (kind: string, path: string) => create(LossSchema, { kind, path, detail: "so many" });
  assert.deepEqual(
    lossSentences([
      loss("TIME_CLAMPED", "/a"),
      loss("XATTR_NAMESPACE", "/x\u001b[2J"),
      loss("TIME_CLAMPED", "/b"),
      loss("TIME_CLAMPED", "/c"),
      loss("NEW_KIND", "/d"),
      loss("MORE", ""),
    ]),
    [
      "3 times that ext4 can't hold, moved to the nearest that it can: /a, /b and 1 more",
      "1 extended attribute of a kind that the disk can't or must not hold: /x\\x1b[2J",
      "1 new kind: /d",
      "so many",
    ],
  );
});

test("bars are in proportion, and none is nothing", () => {
  const stage = { state: "done", result: "", startedAt: 0, progress: undefined } as const;
  const bars = stageChart(
    [
      { ...stage, stage: "fetch", durationMs: 1000 },
      { ...stage, stage: "scan", durationMs: 500 },
      { ...stage, stage: "own", durationMs: 0 },
      { ...stage, stage: "kernel", state: "skipped", durationMs: 0 },
    ],
    80,
  ).map((line) => displayWidth(line[1]?.text ?? ""));
  assert.deepEqual(bars, [13, 7, 1]);
});

test("words are kept whole", () => {
  assert.deepEqual(wrapWords("a bb ccc averylongword d", 6), ["a bb", "ccc", "averylongword", "d"]);
  assert.deepEqual(wrapWords("", 6), [""]);
  assert.deepEqual(wrapWords("  → to", 6), ["  → to"]);
});
