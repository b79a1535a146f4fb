import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir, type TempDir } from "../../src/base/files.ts";
import { loadConfig } from "../../src/service/config.ts";
import { folderCheck } from "../../src/service/folder-checks.ts";
import { claimFolder, folderProblem, requireSafeConfig, unsafeBecause } from "../../src/service/folders.ts";
import { locatePaths, resolvePaths, type PathFlags } from "../../src/service/paths.ts";

let dir: TempDir;
before(async () => {
  dir = await makeTempDir("banger-paths-");
});
after(() => dir[Symbol.asyncDispose]());

const paths = (flags: PathFlags, env: Record<string, string> = {}) =>
  resolvePaths(flags, { env, home: "/home/a", folder: "/work" });

describe("where things are", () => {
  test("by default, in the user's own folders", () => {
    assert.deepEqual(paths({}), {
      stateDir: "/home/a/.local/state/banger",
      cacheDir: "/home/a/.cache/banger",
      socketPath: "/home/a/.local/state/banger/bangerd.sock",
      configPath: "/home/a/.config/banger/config.toml",
      configNamed: false,
      socketNamed: false,
      certsDirs: ["/home/a/.config/banger/certs.d"],
    });
  });

  test("XDG's variables move them, where they are absolute", () => {
    const env = {
      XDG_STATE_HOME: "/x/state",
      XDG_CACHE_HOME: "/x/cache",
      XDG_CONFIG_HOME: "/x/config",
      XDG_RUNTIME_DIR: "/run/user/1",
    };
    const found = paths({}, env);
    assert.equal(found.stateDir, "/x/state/banger");
    assert.equal(found.cacheDir, "/x/cache/banger");
    assert.equal(found.configPath, "/x/config/banger/config.toml");
    assert.equal(found.socketPath, "/run/user/1/banger/bangerd.sock");
    const relative = paths({}, { XDG_STATE_HOME: "state", XDG_RUNTIME_DIR: "" });
    assert.deepEqual(relative, paths({}));
  });

  test("flags beat variables, which beat defaults; a flag is relative to where it was given", () => {
    const env = { BANGER_STATE_DIR: "/env/state", BANGER_SOCKET: "env.sock", BANGER_CACHE_DIR: "" };
    const found = paths({ stateDir: "flag/state", config: "c.toml" }, env);
    assert.equal(found.stateDir, "/work/flag/state");
    assert.equal(found.socketPath, "/work/env.sock");
    assert.equal(found.cacheDir, "/home/a/.cache/banger");
    assert.equal(found.configPath, "/work/c.toml");
    assert.ok(found.configNamed && found.socketNamed);
    assert.equal(paths({}, env).stateDir, "/env/state");
    assert.equal(paths({ stateDir: "/s" }).socketPath, "/s/bangerd.sock");
  });

  test("a system install has root's, and flags still beat them", () => {
    const found = paths(
      { system: true, cacheDir: "/c" },
      { XDG_STATE_HOME: "/x", XDG_RUNTIME_DIR: "/run/user/0" },
    );
    assert.deepEqual(found, {
      stateDir: "/var/lib/banger",
      cacheDir: "/c",
      socketPath: "/run/banger/bangerd.sock",
      configPath: "/etc/banger/config.toml",
      configNamed: false,
      socketNamed: false,
      certsDirs: ["/etc/banger/certs.d", "/etc/containerd/certs.d"],
    });
    assert.deepEqual(paths({}, { BANGER_CERTS_DIR: "certs" }).certsDirs, ["/work/certs"]);
  });
});

describe("the config", () => {
  test("must be there where it was named, and is not ignored where it is there", async () => {
    const named = { ...paths({ stateDir: dir.path }), configPath: join(dir.path, "config.toml") };
    assert.equal(loadConfig(named).paths, named);
    const missing = { ...named, configNamed: true };
    assert.throws(
      () => loadConfig(missing),
      (error) => hasReason(error, "CONFIG_INVALID"),
    );
    await writeFile(named.configPath, "[limits]\nlayers = 3\n");
    const config = loadConfig(named);
    assert.equal(config.limits.layers, 3);
    assert.equal(config.live.found, true);
    await writeFile(named.configPath, "[limits]\nlayer = 3\n");
    assert.throws(
      () => loadConfig(named),
      (error) => hasReason(error, "CONFIG_INVALID"),
    );
  });

  test("says where things are, where neither flag nor variable does", async () => {
    const file = join(dir.path, "paths.toml");
    await writeFile(
      file,
      '[paths]\nstate_dir = "/f/state"\ncache_dir = "/f/cache"\nsocket = "/f/s.sock"\ntemp_dir = "/f/tmp"\n' +
        '[registry]\ncerts_dirs = ["/f/a", "/f/b"]\n',
    );
    const locate = (flags: PathFlags, env: Record<string, string> = {}) =>
      locatePaths({ config: file, ...flags }, { env, home: "/home/a", folder: "/work" });
    const found = locate({});
    assert.equal(found.stateDir, "/f/state");
    assert.equal(found.cacheDir, "/f/cache");
    assert.equal(found.socketPath, "/f/s.sock");
    assert.deepEqual(found.certsDirs, ["/f/a", "/f/b"]);
    // A socket that the config names is the usual one, where banger may start a daemon.
    assert.equal(found.socketNamed, false);
    const env = {
      BANGER_STATE_DIR: "/e/state",
      BANGER_CACHE_DIR: "/e/cache",
      BANGER_SOCKET: "/e/s.sock",
      BANGER_CERTS_DIR: "/e/certs",
    };
    const fromEnv = locate({}, env);
    assert.equal(fromEnv.stateDir, "/e/state");
    assert.equal(fromEnv.cacheDir, "/e/cache");
    assert.equal(fromEnv.socketPath, "/e/s.sock");
    assert.deepEqual(fromEnv.certsDirs, ["/e/certs"]);
    assert.equal(locate({ cacheDir: "/flag" }, env).cacheDir, "/flag");
    // Who names a state folder means that folder's daemon, whatever the file says of the usual one.
    assert.equal(locate({ stateDir: "/s" }).socketPath, "/s/bangerd.sock");
    assert.equal(loadConfig(found, {}).tempDir, "/f/tmp");
    assert.equal(loadConfig(found, { TMPDIR: "/e/tmp" }).tempDir, "/e/tmp");
  });
});

test("the environment names guest assets; what is empty is not said", () => {
  const sources = (env: Readonly<Record<string, string>>) =>
    loadConfig({ ...paths({ stateDir: dir.path }), configPath: join(dir.path, "none") }, env).guest;
  assert.deepEqual(sources({}), { agentPath: undefined, assetsDir: undefined });
  assert.deepEqual(sources({ BANGER_AGENT: "", BANGER_GUEST_ASSETS: "" }), sources({}));
  assert.deepEqual(sources({ BANGER_AGENT: "/a/b", BANGER_GUEST_ASSETS: "own" }), {
    agentPath: "/a/b",
    assetsDir: join(process.cwd(), "own"),
  });
});

describe("a daemon's folder", () => {
  test("is made for its owner alone, with those above it", async () => {
    const path = join(dir.path, "deep", "state");
    await claimFolder(path, "state");
    await claimFolder(path, "state");
    assert.equal((await stat(path)).mode & 0o777, 0o700);
    assert.equal((await stat(join(dir.path, "deep"))).mode & 0o777, 0o700);
  });

  test("that everybody may write is refused", async () => {
    const path = await mkdtemp(join(dir.path, "open-"));
    await claimFolder(path, "state");
    for (const mode of [0o777, 0o1777, 0o702]) {
      await chmod(path, mode);
      await assert.rejects(claimFolder(path, "cache"), (error) => hasReason(error, "STATE_UNSAFE"));
    }
  });

  test("below one that everybody may write is refused, by whichever name, and not where a sticky bit is", async () => {
    const open = await mkdtemp(join(dir.path, "open-"));
    const deep = join(open, "mine", "state");
    await claimFolder(deep, "state");
    const link = join(dir.path, "link");
    await symlink(join(open, "mine"), link);
    for (const mode of [0o777, 0o702]) {
      await chmod(open, mode);
      for (const path of [deep, join(link, "state")]) {
        await assert.rejects(
          claimFolder(path, "state"),
          (error) =>
            hasReason(error, "STATE_UNSAFE") && error.facts["path"] === open && /above/.test(error.message),
        );
        const { ok, detail } = await folderCheck("state", path);
        assert.equal(ok, false);
        assert.match(detail, /above .* may be written by everybody/);
      }
    }
    await chmod(open, 0o1777);
    await claimFolder(deep, "state");
    // What lies in the open, and leads to what is safe, can be exchanged as well.
    const outside = await mkdtemp(join(dir.path, "open-"));
    await symlink(join(open, "mine"), join(outside, "link"));
    await chmod(outside, 0o777);
    await assert.rejects(claimFolder(join(outside, "link", "state"), "state"), (error) =>
      hasReason(error, "STATE_UNSAFE"),
    );
  });

  test("of temporary files or a socket may be everybody's where the system keeps each from the other's files", () => {
    const shared = { uid: 0, gid: 0, mode: 0o41777 };
    assert.equal(folderProblem(shared, "temporary"), undefined);
    assert.equal(folderProblem(shared, "socket"), undefined);
    assert.match(folderProblem(shared, "state") ?? "", /everybody/);
    assert.match(folderProblem({ ...shared, mode: 0o40777 }, "temporary") ?? "", /everybody/);
    assert.match(folderProblem({ ...shared, uid: 4321 }, "temporary") ?? "", /uid 4321/);
  });

  test("belongs to its user or to root, and only a group of the user's own may write", () => {
    const user = { uid: 1000, gid: 1000 };
    assert.equal(unsafeBecause({ uid: 1000, gid: 1000, mode: 0o40755 }, user), undefined);
    assert.equal(unsafeBecause({ uid: 1000, gid: 1000, mode: 0o40775 }, user), undefined);
    assert.equal(unsafeBecause({ uid: 0, gid: 0, mode: 0o40755 }, user), undefined);
    assert.match(unsafeBecause({ uid: 1000, gid: 50, mode: 0o40775 }, user) ?? "", /group 50/);
    assert.match(unsafeBecause({ uid: 1001, gid: 1000, mode: 0o40700 }, user) ?? "", /uid 1001/);
    assert.match(unsafeBecause({ uid: 1001, gid: 0, mode: 0o40700 }, { uid: 0, gid: 0 }) ?? "", /uid 1001/);
  });

  test("that is a file is an error", async () => {
    const path = join(dir.path, "file");
    await writeFile(path, "");
    await assert.rejects(claimFolder(path, "state"), (error) => hasReason(error, "FILESYSTEM_ERROR"));
  });
});

test("a system's config that others may write to, or exchange, is refused", async () => {
  const folder = await mkdtemp(join(dir.path, "etc-"));
  const path = join(folder, "config.toml");
  await writeFile(path, "", { mode: 0o644 });
  await requireSafeConfig(path);
  const unsafe = (named: string) => (error: unknown) =>
    hasReason(error, "STATE_UNSAFE") && error.facts["path"] === named;
  await chmod(path, 0o646);
  await assert.rejects(requireSafeConfig(path), unsafe(path));
  const words = ["--system", "--config", path, "--state-dir", join(dir.path, "s"), "--cache-dir", dir.path];
  const bangerd = join(import.meta.dirname, "../../src/bin/bangerd.js");
  const { status, stderr } = spawnSync(process.execPath, [bangerd, ...words], { encoding: "utf8" });
  assert.equal(status, 1);
  assert.match(stderr, /the config file .*config\.toml may be written by everybody/);
  await chmod(path, 0o644);
  await chmod(folder, 0o777);
  await assert.rejects(requireSafeConfig(path), unsafe(folder));
});
