import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { BangerError } from "../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { defaultConfig } from "../../src/config/parse.ts";
import { readConfig, readWhatIsRight } from "../../src/config/read.ts";

let dir: TempDir;
before(async () => {
  dir = await makeTempDir("banger-config-");
});
after(() => dir[Symbol.asyncDispose]());

const failing = (words: RegExp, path: string) => (error: unknown) =>
  error instanceof BangerError &&
  error.reason === "CONFIG_INVALID" &&
  words.test(error.message) &&
  error.message.includes(path);

test("none is the defaults, unless one was named", () => {
  for (const path of [join(dir.path, "none"), "/dev/null/none"]) {
    assert.deepEqual(readConfig({ path, named: false }), { ...defaultConfig(), found: false });
    assert.throws(() => readConfig({ path, named: true }), failing(/there is no config file/, path));
  }
});

test("a file is read, whatever its line ends and mark", async () => {
  const path = join(dir.path, "fine");
  await writeFile(path, "\ufeff[limits]\r\nlayers = 5\r\n");
  const { settings, found } = readConfig({ path, named: false });
  assert.equal(settings.limits.layers, 5);
  assert.equal(found, true);
});

test("a file with nothing right in it is there all the same", async () => {
  const path = join(dir.path, "no-toml");
  await writeFile(path, "[limits\n");
  assert.deepEqual(readWhatIsRight({ path, named: true }), { ...defaultConfig(), found: true });
  const nowhere = join(dir.path, "nowhere");
  assert.deepEqual(readWhatIsRight({ path: nowhere, named: true }), { ...defaultConfig(), found: false });
});

test("what is no file, no text, too large or not to be read is said, and named", async () => {
  const folder = join(dir.path, "folder");
  await mkdir(folder);
  assert.throws(() => readConfig({ path: folder, named: false }), failing(/is not a file/, folder));
  const pipe = join(dir.path, "pipe");
  assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
  assert.throws(() => readConfig({ path: pipe, named: false }), failing(/is not a file/, pipe));
  const latin1 = join(dir.path, "latin1");
  await writeFile(latin1, Buffer.from("# caf\xe9\n", "latin1"));
  assert.throws(() => readConfig({ path: latin1, named: false }), failing(/is not UTF-8/, latin1));
  const large = join(dir.path, "large");
  await writeFile(large, `#${"x".repeat(256 * 1024 - 1)}`);
  assert.equal(readConfig({ path: large, named: false }).found, true);
  await writeFile(large, `#${"x".repeat(256 * 1024)}`);
  assert.throws(() => readConfig({ path: large, named: false }), failing(/larger than 262144 bytes/, large));
});

test("a file without a permission to read it is an error", async (t) => {
  const path = join(dir.path, "closed");
  await writeFile(path, "");
  await chmod(path, 0);
  // Root may read it all the same; then a child without that right asks.
  if (process.getuid?.() !== 0) {
    assert.throws(() => readConfig({ path, named: false }), failing(/can't be read \(EACCES\)/, path));
    return;
  }
  await chmod(dir.path, 0o755);
  const script = `
    const { readConfig } = await import(${JSON.stringify(join(import.meta.dirname, "../../src/config/read.ts"))});
    process.setuid(65534);
    try { readConfig({ path: ${JSON.stringify(path)}, named: false }); console.log("read"); }
    catch (error) { console.log(error.reason, error.message); }`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
  });
  t.diagnostic(stderr);
  assert.equal(stdout, `CONFIG_INVALID the config file ${path} can't be read (EACCES)\n`);
});
