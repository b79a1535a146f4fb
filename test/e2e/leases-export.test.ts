import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import test, { after, before, describe } from "node:test";
import { ImageService } from "../../gen/banger/image/v1/image_service_pb.ts";
import { hasReason } from "../../src/base/error.ts";
import { openChannel } from "../../src/client/channel.ts";
import {
  makeDaemonHome,
  runCli,
  startDaemonProcess,
  type DaemonHome,
  type DaemonProcess,
} from "../system/daemon-process.ts";
import { writeLayout } from "../system/debian-image.ts";
import { runProgram } from "../system/program.ts";
import { tarOf } from "../system/tar-of.ts";

const banger = join(import.meta.dirname, "..", "..", "src", "bin", "banger.js");
const { method } = ImageService;
const never = new AbortController().signal;

let home: DaemonHome;
let daemon: DaemonProcess;
let rootfs = "";
let out = "";

before(async () => {
  home = await makeDaemonHome();
  daemon = await startDaemonProcess({ home });
  const layout = join(home.folder, "layout");
  writeLayout(layout, [
    await tarOf((put) => put({ name: "etc/motd", mode: 0o644 }, "welcome\n".repeat(500_000))),
  ]);
  for (const name of ["it", "other"]) {
    const args = [`oci:${layout}:latest`, "--no-agents", "--name", name, "--size", "256M", "--quiet"];
    const pulled = await runCli(daemon, "image", "pull", ...args);
    assert.equal(pulled.status, 0, pulled.stderr);
    if (name === "it") rootfs = join(home.state, "images", pulled.stdout.trim(), "rootfs.ext4");
  }
  out = join(home.folder, "out");
  mkdirSync(out);
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

const taken = (path: string): number => statSync(path).blocks * 512;

describe("leases", () => {
  test("hold an image against `image rm`, over a restart, until they are released", async () => {
    let leaseId = "";
    {
      using channel = openChannel(home.socket);
      const ask = { image: "other", holder: "vmm 7 of host a\u001b", ttl: { seconds: 3600n } };
      const acquired = await channel.unary(method.acquireImage, ask, never);
      ({ leaseId } = acquired);
      assert.equal(acquired.image?.name, "other");
      assert.ok(Math.abs(Number(acquired.expireTime?.seconds) - Date.now() / 1000 - 3600) < 120);
      const renewed = await channel.unary(method.acquireImage, { ...ask, leaseId, holder: "vmm-7" }, never);
      assert.equal(renewed.leaseId, leaseId);
      const wrong = [
        { ...ask, holder: "" },
        { ...ask, holder: "x".repeat(129) },
        { ...ask, ttl: { seconds: 86_401n } },
        { ...ask, ttl: { seconds: -1n } },
        { ...ask, image: "" },
      ];
      for (const request of wrong) {
        await assert.rejects(channel.unary(method.acquireImage, request, never), (error) =>
          hasReason(error, "OPTION_INVALID"),
        );
      }
    }
    await daemon.kill();
    daemon = await startDaemonProcess({ home });
    const refused = await runCli(daemon, "image", "rm", "other");
    assert.equal(refused.status, 1);
    const [, until = ""] =
      /^banger: image other is held by vmm-7 until (20..-\S+)\n/.exec(refused.stderr) ?? [];
    const hint = "Have vmm-7 give its lease back, which takes ReleaseImage of the API, or wait:";
    assert.ok(refused.stderr.endsWith(`\n  → ${hint} the last lease ends at ${until}.\n`), refused.stderr);
    using channel = openChannel(home.socket);
    await channel.unary(method.releaseImage, { leaseId }, never);
    await assert.rejects(channel.unary(method.releaseImage, { leaseId }, never), (error) =>
      hasReason(error, "LEASE_UNKNOWN"),
    );
    const removed = await runCli(daemon, "image", "rm", "other");
    assert.equal(removed.status, 0, removed.stderr);
  });
});

describe("export", () => {
  test("a raw file equals the rootfs, and takes no more room", async () => {
    const path = join(out, "raw.ext4");
    writeFileSync(path, "what was there before");
    const exported = await runCli(daemon, "image", "export", "it", "-o", path);
    assert.equal(exported.status, 0, exported.stderr);
    runProgram("cmp", [path, rootfs]);
    runProgram("e2fsck", ["-fn", path]);
    assert.ok(taken(path) <= taken(rootfs) && taken(path) < statSync(path).size / 4);
    assert.deepEqual(readdirSync(out), ["raw.ext4"]);
  });

  test("a compressed one is a frame that the zstd of others reads", async () => {
    const path = join(out, "it.zst");
    const exported = await runCli(daemon, "image", "export", "it", "-o", path, "--format", "zstd");
    assert.equal(exported.status, 0, exported.stderr);
    assert.ok(statSync(path).size < 1 << 20);
    runProgram("zstd", ["-q", "-d", path, "-o", join(out, "it.ext4")]);
    runProgram("cmp", [join(out, "it.ext4"), rootfs]);
  });

  test("standard output takes all of it, zeros too", async () => {
    const path = join(out, "stdout.ext4");
    const words = [banger, "--socket", home.socket, "image", "export", "it", "-o", "-"];
    const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
    await Promise.all([pipeline(child.stdout, createWriteStream(path)), once(child, "close")]);
    assert.equal(child.exitCode, 0);
    runProgram("cmp", [path, rootfs]);
  });

  test("a terminal, a folder and an image that is not there are refused, and leave nothing", async () => {
    const before = readdirSync(out);
    const terminal = spawnSync(
      "script",
      [
        "-qec",
        `"${process.execPath}" "${banger}" --socket "${home.socket}" image export it -o -`,
        "/dev/null",
      ],
      { encoding: "utf8" },
    );
    assert.equal(terminal.status, 2, terminal.stdout);
    assert.match(terminal.stdout, /nothing for a terminal/);
    assert.ok(terminal.stdout.length < 1000);
    assert.equal((await runCli(daemon, "image", "export", "it", "-o", out)).status, 2);
    assert.equal((await runCli(daemon, "image", "export", "nothing", "-o", join(out, "no"))).status, 3);
    assert.equal((await runCli(daemon, "image", "export", "it", "-o", join(out, "no", "such"))).status, 1);
    assert.deepEqual(readdirSync(out), before);
  });

  test("interrupted half way, no file is there, nor a part of one", async () => {
    const before = readdirSync(out);
    const folder = join(out, "interrupted");
    mkdirSync(folder);
    // A pipe that nobody reads holds the program back for ever, once its buffer is full.
    const words = [banger, "--socket", home.socket, "image", "export", "it", "-o", "-"];
    const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"] });
    await once(child.stdout, "readable");
    child.kill("SIGINT");
    child.stdout.resume();
    await once(child, "close");
    assert.equal(child.exitCode, 130);
    const toFile = spawn(process.execPath, [...words.slice(0, -1), join(folder, "it.ext4")], {
      stdio: "ignore",
    });
    while (readdirSync(folder).length === 0 && toFile.exitCode === null) await new Promise(setImmediate);
    toFile.kill("SIGINT");
    await once(toFile, "close");
    // It may have been quicker than the signal: then the file is whole.
    assert.ok(readdirSync(folder).every((name) => name === "it.ext4"));
    assert.deepEqual(readdirSync(out).sort(), [...before, "interrupted"].sort());
  });

  test("a reader that stops reading costs the daemon no memory", async () => {
    using channel = openChannel(home.socket);
    const rss = (): number => {
      const status = runProgram("cat", [`/proc/${daemon.child.pid}/status`]);
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
    };
    const before = rss();
    const stalled = Array.from({ length: 8 }, () =>
      channel.stream(method.exportImage, { image: "it", format: 2 }, never)[Symbol.asyncIterator](),
    );
    for (const stream of stalled) await stream.next();
    // Each would be 256 MiB of zeros in the compressor, were it not held back; 8 of them take at most this.
    assert.ok(rss() - before < 200, `${before} MiB, then ${rss()} MiB`);
    for (const stream of stalled) await stream.return?.();
  });

  test("the temporary name is no link of somebody else's", async () => {
    const target = join(out, "precious");
    writeFileSync(target, "precious");
    symlinkSync(target, join(out, "link"));
    assert.equal((await runCli(daemon, "image", "export", "it", "-o", join(out, "link"))).status, 0);
    assert.equal(statSync(target).size, 8, "the link was replaced, and what it led to is as it was");
  });
});
