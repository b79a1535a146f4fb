import assert from "node:assert/strict";
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { loadGuestAssets, type GuestAssets } from "../../src/guest/assets.ts";
import { guest, runProgram, temporaryFolder, writeTree } from "./programs.ts";

const folder = temporaryFolder();
const fake = join(folder, "guest");
cpSync(guest, fake, { recursive: true, filter: (path) => !path.startsWith(join(guest, "out")) });
writeTree(fake, { "out/banger-vsock-agent": "an agent", "out/banger-init": "an init" });

let made = 0;
/** A folder of one's own with those files. */
function ownFolder(files: Readonly<Record<string, string>>, mode?: number): string {
  const path = join(folder, `own-${made++}`);
  mkdirSync(path);
  writeTree(path, files, mode);
  return path;
}

function load(assetsDir?: string, agentPath?: string): Promise<GuestAssets> {
  return loadGuestAssets({ guestDir: fake, agentPath, assetsDir }, defaultLimits);
}

test("every image gets these, with these modes", async () => {
  const { common, init } = await load();
  const lines = common.map((asset) =>
    asset.kind === "symlink" ? `${asset.path} -> ${asset.target}` : `${asset.path} ${asset.mode.toString(8)}`,
  );
  const wants = "etc/systemd/system/multi-user.target.wants";
  assert.deepEqual(lines.sort(), [
    "etc/modules-load.d/banger-vsock.conf 644",
    "etc/systemd/system/banger-first-boot.service 644",
    "etc/systemd/system/banger-network.service 644",
    "etc/systemd/system/banger-vsock-agent.service 644",
    `${wants}/banger-first-boot.service -> ../banger-first-boot.service`,
    `${wants}/banger-network.service -> ../banger-network.service`,
    `${wants}/banger-vsock-agent.service -> ../banger-vsock-agent.service`,
    "usr/local/bin/banger-vsock-agent 755",
    "usr/local/libexec/banger-first-boot 755",
    "usr/local/libexec/banger-network-bootstrap 755",
  ]);
  assert.equal(init.toString(), "an init");
});

test("an agent of one's own takes the place of the package's", async () => {
  const [path] = [join(folder, "my-agent")];
  writeFileSync(path, "mine");
  const { common, digest } = await load(undefined, path);
  const agent = common.find((asset) => asset.path === "usr/local/bin/banger-vsock-agent");
  assert.ok(agent?.kind === "file" && agent.content.toString() === "mine");
  assert.notEqual(digest, (await load()).digest);
});

test("what is missing is named, with how to build it", async () => {
  const bare = join(folder, "bare");
  cpSync(fake, bare, { recursive: true });
  rmSync(join(bare, "out"), { recursive: true });
  await assert.rejects(
    loadGuestAssets({ guestDir: bare, agentPath: undefined, assetsDir: undefined }, defaultLimits),
    (error) =>
      hasReason(error, "GUEST_ASSETS_MISSING") &&
      error.message.includes(join(bare, "out")) &&
      // Where the package stands, which need be no checkout.
      error.hint.includes(`\`${join(bare, "build.sh")}\``),
  );
  await assert.rejects(
    load(undefined, join(folder, "no-agent")),
    (error) => hasReason(error, "GUEST_ASSETS_MISSING") && error.hint.includes("BANGER_AGENT"),
  );
  const short = join(folder, "short");
  cpSync(fake, short, { recursive: true });
  rmSync(join(short, "first-boot"));
  await assert.rejects(
    loadGuestAssets({ guestDir: short, agentPath: undefined, assetsDir: undefined }, defaultLimits),
    (error) => hasReason(error, "GUEST_ASSETS_MISSING") && error.hint.startsWith("Install banger again"),
  );
});

test("a folder of one's own is taken as it is: modes, links, and each folder before what is in it", async () => {
  const path = ownFolder({ "srv/b": "b", "srv/a": "a" }, 0o640);
  symlinkSync("../nowhere", join(path, "srv/link"));
  runProgram("chmod", ["4755", join(path, "srv/a")]);
  runProgram("chmod", ["0750", join(path, "srv")]);
  const { own } = await load(path);
  assert.deepEqual(
    own.map((asset) => `${asset.path} ${asset.kind === "symlink" ? asset.target : asset.mode.toString(8)}`),
    ["srv 750", "srv/a 755", "srv/b 640", "srv/link ../nowhere"],
  );
});

test("each change of what goes in changes the digest", async () => {
  const contents: readonly (readonly [Readonly<Record<string, string>>, number])[] = [
    [{}, 0o644],
    [{ a: "" }, 0o644],
    [{ a: "" }, 0o600],
    [{ a: "b" }, 0o644],
    [{ b: "a" }, 0o644],
    [{ a: "", b: "" }, 0o644],
  ];
  const digests = await Promise.all(
    contents.map(async ([files, mode]) => (await load(ownFolder(files, mode))).digest),
  );
  assert.equal(new Set(digests).size, contents.length);
  assert.equal((await load(ownFolder({ a: "b" }))).digest, digests[3]);
});

test("what can't be an asset is refused, and named", async () => {
  const fifo = ownFolder({});
  runProgram("mkfifo", [join(fifo, "pipe")]);
  const bytes = ownFolder({});
  writeFileSync(Buffer.concat([Buffer.from(`${bytes}/`), Buffer.from([0xff])]), "");
  const cases: readonly (readonly [string, RegExp])[] = [
    [join(folder, "not-there"), /not-there is no folder/],
    [join(fake, "README.md"), /README\.md is no folder/],
    [fifo, /pipe is neither/],
    [ownFolder({ "etc/.wh.passwd": "" }), /\.wh\.passwd has a name that means a whiteout/],
    [bytes, /not UTF-8/],
  ];
  for (const [path, says] of cases) {
    await assert.rejects(
      load(path),
      (error) => hasReason(error, "CONFIG_INVALID") && says.test(error.message) && error.hint !== "",
    );
  }
  const small = { guestAssetBytes: 1000 };
  await assert.rejects(
    loadGuestAssets({ guestDir: fake, agentPath: undefined, assetsDir: undefined }, small),
    (error) => hasReason(error, "CONFIG_INVALID"),
  );
});
