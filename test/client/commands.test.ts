import assert from "node:assert/strict";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  CancelPullResponseSchema,
  DeleteImageResponseSchema,
  FileType,
  GetImageResponseSchema,
  ImageService,
  ListFilesResponseSchema,
  ListImagesResponseSchema,
  PullImageResponseSchema,
  ReadFileResponseSchema,
  VerifyImageResponseSchema,
  type PullImageRequest,
} from "../../gen/banger/image/v1/image_service_pb.ts";
import { Builder } from "../../gen/banger/image/v1/image_pb.ts";
import { PullState } from "../../gen/banger/image/v1/pull_pb.ts";
import { BangerError } from "../../src/base/error.ts";
import { serverStreaming, unary } from "../../src/service/routes.ts";
import * as make from "./events.ts";
import { banger, startBanger } from "./run-banger.ts";
import { scriptedServer } from "./scripted-server.ts";

const { method } = ImageService;

/** A pull that says all its events; what was asked is kept. */
function recordedPull(asked: PullImageRequest[] = []) {
  return serverStreaming(method.pullImage, async function* (request) {
    asked.push(request);
    for (const event of make.wholePull()) yield create(PullImageResponseSchema, { event });
  });
}

function failingPull(error: BangerError) {
  // oxlint-disable-next-line require-yield -- fails before the first event
  return serverStreaming(method.pullImage, async function* () {
    throw error;
  });
}

const rateLimited = new BangerError("RATE_LIMITED", "registry.example: too many requests\u001b[2J", {
  op: "fetch",
  hint: "Wait, or log in.",
  retryAfterMs: 30_000,
});

test("image pull: progress to stderr, summary to stdout", async () => {
  await using server = await scriptedServer(recordedPull());
  const ran = await banger(["--socket", server.socketPath, "image", "pull", "debian:bookworm"]);
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(ran.stdout, /^name +debian-bookworm\nid +img-0123456789ab\npath +\/state\//);
  assert.match(ran.stderr, /^waiting: 8 pulls.*\nresolve: .*\nkernel: /);
  assert.ok(!ran.stderr.includes("\r") && !ran.stderr.includes("\u001b"), "a log has no terminal commands");
});

test("image pull --quiet prints the id alone", async () => {
  await using server = await scriptedServer(recordedPull());
  const ran = await banger(["--socket", server.socketPath, "image", "pull", "debian:bookworm", "--quiet"]);
  assert.deepEqual([ran.code, ran.stdout, ran.stderr], [0, "img-0123456789ab\n", ""]);
});

test("image pull --progress json: one event a line, and the image on stdout", async () => {
  await using server = await scriptedServer(recordedPull());
  const args = ["image", "pull", "debian:bookworm", "--progress", "json"];
  const ran = await banger(["--socket", server.socketPath, ...args]);
  assert.equal(ran.code, 0, ran.stderr);
  const events: unknown[] = ran.stderr
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
  assert.equal(events.length, make.wholePull().length);
  const image: unknown = JSON.parse(ran.stdout);
  assert.ok(typeof image === "object" && image !== null && "rootfsPath" in image && "losses" in image);
});

test("image pull sends what the flags say, and a relative folder made absolute", async () => {
  const asked: PullImageRequest[] = [];
  await using server = await scriptedServer(recordedPull(asked));
  const args = ["--name", "n", "--platform", "linux/arm64/v8", "--size", "4G", "--builder", "e2fsprogs"];
  const kernel = [
    "--kernel",
    "vmlinuz",
    "--initrd",
    "/boot/initrd",
    "--no-agents",
    "--keep-identity",
    "--strict",
  ];
  const ran = await banger(["image", "pull", "oci:some/dir:tag", ...args, ...kernel, "-q"], {
    BANGER_SOCKET: server.socketPath,
  });
  assert.equal(ran.code, 0, ran.stderr);
  const [request] = asked;
  assert.equal(request?.reference, `oci:${process.cwd()}/some/dir:tag`);
  assert.equal(request.options?.name, "n");
  assert.equal(request.options.platform, "linux/arm64/v8");
  assert.equal(request.options.sizeBytes, 4n << 30n);
  assert.equal(request.options.builder, Builder.E2FSPROGS);
  assert.equal(request.options.kernel?.kernelPath, `${process.cwd()}/vmlinuz`);
  assert.equal(request.options.kernel.initrdPath, "/boot/initrd");
  assert.deepEqual(
    [
      request.options.noAgents,
      request.options.keepIdentity,
      request.options.strict,
      request.options.detached,
    ],
    [true, true, true, false],
  );
});

test("image pull --detach prints the pull's id and leaves", async () => {
  const asked: PullImageRequest[] = [];
  await using server = await scriptedServer(recordedPull(asked));
  const ran = await banger(["--socket", server.socketPath, "image", "pull", "debian", "--detach"]);
  assert.deepEqual([ran.code, ran.stdout], [0, "p-1\n"]);
  assert.equal(asked[0]?.options?.detached, true);
});

test("image pull --progress tty draws, and leaves the last state", async () => {
  await using server = await scriptedServer(recordedPull());
  const args = ["image", "pull", "debian", "--progress", "tty"];
  const words = ["--socket", server.socketPath, ...args];
  const ran = await banger(words, { LANG: "C.UTF-8" });
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(ran.stderr, /✓ publish {4}img-0123456789ab/);
  assert.match((await banger(words, { LANG: "C" })).stderr, /\+ publish {4}img-0123456789ab/);
});

test("an error: what happened, when to try again, what to do; never a stack, never a terminal command", async () => {
  await using server = await scriptedServer(failingPull(rateLimited));
  const ran = await banger(["--socket", server.socketPath, "image", "pull", "debian"]);
  assert.deepEqual([ran.code, ran.stdout], [1, ""]);
  assert.equal(
    ran.stderr,
    "banger: registry.example: too many requests\\x1b[2J\n  → Try again in 30 s.\n  → Wait, or log in.\n",
  );
  const debug = await banger(["--socket", server.socketPath, "image", "pull", "debian"], {
    BANGER_DEBUG: "1",
  });
  assert.match(debug.stderr, /RATE_LIMITED in fetch\n[\s\S]*\n +at /);
});

test("an error with --progress json is the last line, with its reason", async () => {
  await using server = await scriptedServer(failingPull(rateLimited));
  const args = ["image", "pull", "debian", "--progress", "json"];
  const ran = await banger(["--socket", server.socketPath, ...args]);
  assert.equal(ran.code, 1);
  const last: unknown = JSON.parse(ran.stderr.trimEnd().split("\n").at(-1) ?? "");
  assert.deepEqual(last, {
    error: {
      reason: "RATE_LIMITED",
      message: "registry.example: too many requests\u001b[2J",
      hint: "Wait, or log in.",
      retryAfterMs: 30_000,
    },
  });
});

test("a stream that ends without an image is an error", async () => {
  await using server = await scriptedServer(
    serverStreaming(method.pullImage, async function* () {
      yield create(PullImageResponseSchema, { event: make.wholePull()[0] ?? assert.fail() });
    }),
  );
  const ran = await banger(["--socket", server.socketPath, "image", "pull", "debian", "-q"]);
  assert.equal(ran.code, 1);
  assert.match(ran.stderr, /without an image and without an error/);
});

test("Ctrl-C cancels the call and exits 130", async () => {
  const left = Promise.withResolvers<undefined>();
  await using server = await scriptedServer(
    serverStreaming(method.pullImage, async function* (_request, { signal }) {
      yield create(PullImageResponseSchema, { event: make.wholePull()[1] ?? assert.fail() });
      await once(signal, "abort");
      left.resolve(undefined);
    }),
  );
  const { child, ended } = startBanger(["--socket", server.socketPath, "image", "pull", "debian"]);
  await once(child.stderr ?? assert.fail(), "data");
  child.kill("SIGINT");
  const ran = await ended;
  assert.equal(ran.code, 130, ran.stderr);
  assert.match(
    ran.stderr,
    /banger: interrupted while waiting for the daemon on \S+ to pull the image\n {2}→ Pull again to go on: .+\n$/,
  );
  assert.equal(
    await Promise.race([left.promise.then(() => "cancelled"), sleep(5000, "not told", { ref: false })]),
    "cancelled",
  );
});

test("a daemon that goes away in the middle is told as that", async () => {
  await using server = await scriptedServer(
    serverStreaming(method.pullImage, async function* (_request, { signal }) {
      yield create(PullImageResponseSchema, { event: make.wholePull()[1] ?? assert.fail() });
      await once(signal, "abort");
    }),
  );
  const { child, ended } = startBanger(["--socket", server.socketPath, "image", "pull", "debian"]);
  await once(child.stderr ?? assert.fail(), "data");
  await server[Symbol.asyncDispose]();
  const ran = await ended;
  assert.equal(ran.code, 4, ran.stderr);
  assert.match(
    ran.stderr,
    /\nbanger: the connection to the daemon was lost: .+\n {2}→ See whether it still runs .*: what was downloaded is kept/,
  );
});

test("no daemon on a named socket: 4, and what to do", async () => {
  const ran = await banger(["--socket", "/nonexistent/b.sock", "image", "ls"]);
  assert.equal(ran.code, 4);
  assert.match(
    ran.stderr,
    /^banger: no daemon answers on \/nonexistent\/b.sock\n {2}→ Start one with `bangerd/,
  );
});

test("a socket path too long is refused before it is tried", async () => {
  const ran = await banger(["--socket", `/tmp/${"x".repeat(110)}`, "image", "ls"]);
  assert.equal(ran.code, 2);
  assert.match(ran.stderr, /longer than 107 bytes/);
});

const usageErrors: readonly (readonly string[])[] = [
  [],
  ["image"],
  ["image", "pull"],
  ["image", "pul", "x"],
  ["image", "ls", "--nope"],
  ["image", "ls", "extra"],
  ["image", "pull", "x", "--size", "4X"],
  ["image", "pull", "x", "--builder", "magic"],
  ["image", "pull", "x", "--progress", "loud"],
  ["image", "pull", "x", "--initrd", "i"],
  ["image", "pull", "x", "--kernel-ref", "k", "--kernel", "f"],
];

for (const args of usageErrors) {
  test(`usage: banger ${args.join(" ")}`, async () => {
    await using server = await scriptedServer(recordedPull());
    const ran = await banger(["--socket", server.socketPath, ...args]);
    assert.deepEqual([ran.code, ran.stdout], [2, ""], ran.stderr);
    assert.ok(ran.stderr.length > 0);
  });
}

test("help and version are no errors, and a slip is answered with a suggestion", async () => {
  const help = await banger(["--help"]);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /Exit codes: 0 done/);
  assert.match((await banger(["--version"])).stdout, /^\d+\.\d+\.\d+\n$/);
  assert.match((await banger(["image", "pul", "x"])).stderr, /Did you mean pull\?/);
});

test("what a daemon does not offer prints the daemon's sentence and exits 1", async () => {
  await using server = await scriptedServer();
  const commands = [
    ["image", "ls"],
    ["kernel", "ls"],
    ["kernel", "catalog"],
    ["kernel", "pull", "k"],
    ["kernel", "import", "k", "--kernel", "f"],
    ["kernel", "rm", "k"],
    ["cache", "usage"],
    ["cache", "prune"],
    ["pull", "ls"],
    ["pull", "watch", "p"],
    ["pull", "cancel", "p"],
    ["daemon", "status"],
  ];
  for (const args of commands) {
    const ran = await banger(["--socket", server.socketPath, ...args]);
    assert.equal(ran.code, 1, args.join(" "));
    assert.match(ran.stderr, /^banger: \w+ is not part of this test\n/, args.join(" "));
  }
});

test("pull cancel tells of a pull that had ended what it came to", async () => {
  const failure = { failureReason: "DISK_FULL", failureMessage: "no space left" };
  for (const [pull, expected] of [
    [{ id: "p1", state: PullState.CANCELLED, failureMessage: "on request" }, "p1 is cancelled\n"],
    [{ id: "p1", state: PullState.FAILED, ...failure }, "p1 is failed: no space left\n"],
  ] as const) {
    await using server = await scriptedServer(
      unary(method.cancelPull, async () => create(CancelPullResponseSchema, { pull })),
    );
    const ran = await banger(["--socket", server.socketPath, "pull", "cancel", "p1"]);
    assert.deepEqual([ran.code, ran.stdout, ran.stderr], [0, "", expected]);
  }
});

test("image ls asks for all pages", async () => {
  await using server = await scriptedServer(
    unary(method.listImages, async ({ pageToken }) =>
      create(ListImagesResponseSchema, {
        images: [{ ...make.image, name: pageToken === "" ? "first" : "second" }],
        nextPageToken: pageToken === "" ? "more" : "",
      }),
    ),
  );
  const table = await banger(["--socket", server.socketPath, "image", "ls"]);
  assert.match(table.stdout, /^NAME .*\nfirst .*\nsecond .*\n$/);
  const json: unknown = JSON.parse(
    (await banger(["--socket", server.socketPath, "image", "ls", "--json"])).stdout,
  );
  assert.ok(typeof json === "object" && json !== null && "images" in json && Array.isArray(json.images));
  assert.equal(json.images.length, 2);
});

test("a list that does not end is an error, not a loop", async () => {
  await using server = await scriptedServer(
    unary(method.listImages, async () => create(ListImagesResponseSchema, { nextPageToken: "again" })),
  );
  const ran = await banger(["--socket", server.socketPath, "image", "ls"]);
  assert.deepEqual([ran.code, ran.stdout], [1, ""]);
});

test("image inspect --json has every field, empty ones too", async () => {
  await using server = await scriptedServer(
    unary(method.getImage, async () => create(GetImageResponseSchema, { image: make.image })),
  );
  const ran = await banger(["image", "inspect", "debian-bookworm", "--json", "--socket", server.socketPath]);
  assert.equal(ran.code, 0, ran.stderr);
  const image: unknown = JSON.parse(ran.stdout);
  assert.ok(typeof image === "object" && image !== null);
  for (const name of ["rootfsPath", "manifestDigest", "rootfsDigest", "losses", "rootfsSizeBytes"])
    assert.ok(name in image, name);
});

test("what is not there: 3", async () => {
  await using server = await scriptedServer(
    unary(method.getImage, async () => {
      throw new BangerError("IMAGE_UNKNOWN", "no image nope", { op: "get", hint: "See `banger image ls`." });
    }),
  );
  const ran = await banger(["--socket", server.socketPath, "image", "inspect", "nope"]);
  assert.deepEqual([ran.code, ran.stderr], [3, "banger: no image nope\n  → See `banger image ls`.\n"]);
});

test("image rm deletes what it can, and tells the rest", async () => {
  await using server = await scriptedServer(
    unary(method.deleteImage, async ({ image }) => {
      if (image === "b") throw new BangerError("IMAGE_UNKNOWN", "no image b", { op: "delete" });
      return create(DeleteImageResponseSchema, { id: `id-${image}`, freedBytes: 2048n });
    }),
  );
  const ran = await banger(["--socket", server.socketPath, "image", "rm", "a", "b", "c"]);
  assert.deepEqual([ran.code, ran.stdout], [3, "id-a\nid-c\n"]);
  assert.match(ran.stderr, /a is deleted: 2.00 KiB freed\nbanger: no image b\n {2}→ .+\nc is deleted/);
});

test("image verify: a difference is a failure", async () => {
  await using server = await scriptedServer(
    unary(method.verifyImage, async ({ image }) =>
      create(VerifyImageResponseSchema, {
        inodeCount: 9n,
        differences:
          image === "bad" ? [{ path: "/etc", field: "mode", expected: "0755", found: "0700" }] : [],
      }),
    ),
  );
  assert.equal((await banger(["--socket", server.socketPath, "image", "verify", "good"])).code, 0);
  const bad = await banger(["--socket", server.socketPath, "image", "verify", "bad"]);
  assert.equal(bad.code, 1);
  assert.match(bad.stdout, /1 difference[\s\S]*\/etc +mode +0755 +0700/);
  assert.equal(bad.stderr, "  → Delete it with `banger image rm bad`, then pull it again.\n");
});

test("image files and cat", async () => {
  await using server = await scriptedServer(
    unary(method.listFiles, async () =>
      create(ListFilesResponseSchema, {
        files: [
          { name: Buffer.from("su"), type: FileType.REGULAR, mode: 0o4755, sizeBytes: 7n, linkCount: 1 },
          { name: Buffer.from([0xff]), type: FileType.SYMLINK, mode: 0o777, linkTarget: Buffer.from("su") },
          { name: Buffer.from("null"), type: FileType.CHARACTER_DEVICE, deviceMajor: 1, deviceMinor: 3 },
        ],
      }),
    ),
    serverStreaming(method.readFile, async function* () {
      for (let at = 0; at < 40; at++)
        yield create(ReadFileResponseSchema, { chunk: Buffer.alloc(65536, at) });
    }),
  );
  const list = await banger(["--socket", server.socketPath, "image", "files", "x"]);
  assert.match(list.stdout, /-rwsr-xr-x +1 +0:0 +7 B +su\n/);
  assert.match(list.stdout, /lrwxrwxrwx .* \\xff -> su\n/);
  assert.match(list.stdout, /c--------- .* 1,3 +null\n/);
  const json = await banger(["--socket", server.socketPath, "image", "files", "x", "--json"]);
  assert.match(json.stdout, /"nameBase64": "\/w=="/);
  const cat = await banger(["--socket", server.socketPath, "image", "cat", "x", "/su"]);
  assert.equal(cat.stdout.length, 40 * 65536);
});

test("a reader that had enough ends the call quietly", async () => {
  const left = Promise.withResolvers<string>();
  await using server = await scriptedServer(
    serverStreaming(method.readFile, async function* (_request, { signal }) {
      signal.addEventListener("abort", () => left.resolve("cancelled"));
      for (;;) yield create(ReadFileResponseSchema, { chunk: Buffer.alloc(65536) });
    }),
  );
  const { child, ended } = startBanger(["--socket", server.socketPath, "image", "cat", "x", "/zero"]);
  // Its stdout is cut off below.
  ended.catch(() => {});
  await once(child.stdout ?? assert.fail(), "data");
  child.stdout?.destroy();
  assert.equal(await left.promise, "cancelled");
  if (child.exitCode === null) await once(child, "exit");
  assert.equal(child.exitCode, 1);
});
