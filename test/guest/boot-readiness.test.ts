import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import test, { before } from "node:test";
import fc from "fast-check";
import { runThrough } from "../../src/base/slices.ts";
import { bootReadiness, type BootReadiness, type ReadinessInput } from "../../src/guest/boot-readiness.ts";
import { readProgramHead } from "../../src/guest/program-head.ts";
import { noProcess } from "./guest-layer.ts";
import { buildPrograms, runProgram, temporaryFolder } from "./programs.ts";

const folder = temporaryFolder();
const programs = join(folder, "programs");
let images = 0;
before(() => buildPrograms(programs));

/** What a file of a test's image is: a link, a copy of a program, or text. */
type Content =
  | { readonly link: string }
  | { readonly copyOf: string }
  | { readonly text: string; readonly mode?: number };

const staticProgram: Content = {
  get copyOf() {
    return join(programs, "vsock-get");
  },
};
const dynamicProgram: Content = { copyOf: "/bin/ls" };
const script = (interpreter: string): Content => ({ text: `#!${interpreter} -e\nexit 0\n` });

/** Looks into a file system of those files. */
function look(
  files: Readonly<Record<string, Content>>,
  options: Partial<ReadinessInput> = {},
): BootReadiness {
  const root = mkdtempSync(join(folder, "root-"));
  for (const [path, content] of Object.entries(files)) {
    const full = join(root, path);
    mkdirSync(dirname(full), { recursive: true });
    if ("link" in content) symlinkSync(content.link, full);
    else if ("copyOf" in content) copyFileSync(content.copyOf, full);
    else {
      writeFileSync(full, content.text);
      chmodSync(full, content.mode ?? 0o755);
    }
  }
  const rootfs = join(folder, `image-${images++}.ext4`);
  writeFileSync(rootfs, "");
  truncateSync(rootfs, 8 << 20);
  const made = runProgram("mkfs.ext4", ["-q", "-d", root, rootfs]);
  assert.equal(made.status, 0, made.stderr);
  const platform = { os: "linux", architecture: "amd64" };
  return runThrough(bootReadiness({ rootfs, platform, config: noProcess, agents: false, ...options }));
}

test("an image boots the first init that the kernel would find", () => {
  const cases: readonly (readonly [Readonly<Record<string, Content>>, string])[] = [
    [{ "sbin/init": staticProgram }, "/sbin/init"],
    [{ "sbin/init": { link: "/usr/lib/app/init" }, "usr/lib/app/init": staticProgram }, "/sbin/init"],
    [
      { sbin: { link: "usr/bin" }, "usr/bin/init": script("/usr/bin/sh"), "usr/bin/sh": staticProgram },
      "/sbin/init",
    ],
    [{ "sbin/init": { link: "nowhere" }, "etc/init": staticProgram }, "/etc/init"],
    [{ "sbin/init": { text: "", mode: 0o644 }, "bin/init": staticProgram }, "/bin/init"],
    [{ "sbin/init": dynamicProgram, "lib64/ld-linux-x86-64.so.2": staticProgram }, "/sbin/init"],
  ];
  for (const [files, initPath] of cases) assert.deepEqual(look(files), { initPath, obstacles: [] });
});

test("what would stop it is told", () => {
  const cases: readonly (readonly [Readonly<Record<string, Content>>, RegExp])[] = [
    [{ "bin/sh": staticProgram }, /^there is no init in the image, and guest agents.*left out$/],
    [
      { "sbin/init": dynamicProgram },
      /\/sbin\/init needs the loader \/lib64\/ld-linux-x86-64\.so\.2, which is not/,
    ],
    [{ "sbin/init": script("/bin/sh") }, /\/sbin\/init is a script: \/bin\/sh is not in the image/],
    [{ "sbin/init": script("/bin/sh"), "bin/sh": dynamicProgram }, /script: \/bin\/sh needs the loader/],
    [{ "sbin/init": script("/sbin/init") }, /script of a script/],
    [{ "sbin/init": { text: "echo hello" } }, /no program that Linux can start/],
    [{ "sbin/init": { text: "" } }, /no program that Linux can start/],
    [{ "lib/systemd/systemd": staticProgram }, /add init=\/lib\/systemd\/systemd to its command line/],
  ];
  for (const [files, says] of cases) {
    const { obstacles } = look(files);
    assert.equal(obstacles.length, 1, obstacles.join("; "));
    assert.match(obstacles[0] ?? "", says);
  }
});

test("programs of another processor are told, the agent's too", () => {
  const platform = { os: "linux", architecture: "arm64", variant: "v8" };
  const files = { "sbin/init": staticProgram, "usr/local/bin/banger-vsock-agent": staticProgram };
  const { obstacles } = look(files, { platform, agents: true });
  assert.deepEqual(
    obstacles,
    ["/sbin/init", "/usr/local/bin/banger-vsock-agent"].map(
      (path) => `${path} is made for another processor than the image's, arm64`,
    ),
  );
  const unknown = look(files, { platform: { os: "linux", architecture: "m68k" }, agents: true });
  assert.deepEqual(unknown.obstacles, [], "of processors that are not known, nothing is said");
});

test("with banger's init, what it is to run is looked for as it would", () => {
  const files: Readonly<Record<string, Content>> = {
    "sbin/init": staticProgram,
    "etc/banger/init.conf": { text: "", mode: 0o600 },
    "opt/app/run": staticProgram,
    "usr/bin/app": staticProgram,
  };
  const obstaclesOf = (config: Partial<ReadinessInput["config"]>): string =>
    look(files, { agents: true, config: { ...noProcess, ...config } }).obstacles.join("; ");
  assert.equal(obstaclesOf({ entrypoint: ["/opt/app/run"] }), "");
  assert.equal(obstaclesOf({ entrypoint: ["./run"], workingDir: "/opt/app" }), "");
  assert.equal(obstaclesOf({ cmd: ["app"] }), "");
  assert.equal(obstaclesOf({ cmd: ["run"], env: ["PATH=/bin:/opt/app"] }), "");
  assert.match(obstaclesOf({ cmd: ["run"] }), /"run", which the image is to run, is not in its PATH/);
  assert.match(obstaclesOf({ cmd: ["/opt/app/gone"] }), /\/opt\/app\/gone is not in the image/);
  assert.match(obstaclesOf({}), /neither Entrypoint nor Cmd/);
});

test("any bytes have a head that is answered, whatever they say of themselves", () => {
  const real = readFileSync("/bin/ls").subarray(0, 4096);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((tail) => Buffer.concat([Buffer.from("7f454c46", "hex"), tail])),
    fc.uint8Array({ maxLength: 300 }).map((tail) => Buffer.concat([Buffer.from("#!"), tail])),
    fc.tuple(fc.nat(120), fc.nat(255)).map(([at, byte]) => {
      const copy = Buffer.from(real);
      copy[at] = byte;
      return copy;
    }),
  );
  fc.assert(
    fc.property(bytes, (program) => {
      const head = readProgramHead((offset, length) => {
        assert.ok(length <= 65_535 * 64);
        return Buffer.from(program.subarray(Math.min(offset, program.length), offset + length));
      });
      assert.ok(["elf", "script", "unknown"].includes(head.kind));
    }),
    { numRuns: 2000 },
  );
});
