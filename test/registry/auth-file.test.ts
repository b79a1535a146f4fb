import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import test from "node:test";
import { BangerError, hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { longestMatch, parseAuthFile, scopesOf } from "../../src/registry/auth-file.ts";
import { AuthLookup, authFilePaths } from "../../src/registry/auth-lookup.ts";
import type { Credentials } from "../../src/registry/credentials.ts";

const never = new AbortController().signal;
const base64 = (text: string): string => Buffer.from(text).toString("base64");

function lookUp(auths: object, domain: string, path = "team/app"): Credentials | undefined {
  const file = parseAuthFile(Buffer.from(JSON.stringify({ auths })), "/auth.json");
  return longestMatch(file.auths, scopesOf(domain, path));
}

function nameIn(auths: readonly string[], domain: string, path?: string): string | undefined {
  const entries = auths.map((key, at) => [key, { auth: base64(`user${at}:x`) }]);
  const found = lookUp(Object.fromEntries(entries), domain, path);
  return found?.kind === "basic" ? found.username : undefined;
}

test("H01 Docker Hub's credentials are under each of its names", () => {
  for (const key of [
    "https://index.docker.io/v1/",
    "index.docker.io",
    "docker.io",
    "https://registry-1.docker.io",
  ]) {
    assert.equal(nameIn([key], "docker.io", "library/debian"), "user0", key);
    assert.equal(nameIn([key], "ghcr.io"), undefined);
  }
});

test("an entry that a log-out emptied takes nothing from another of the same host", () => {
  const full = { auth: base64("user:x") };
  for (const auths of [
    { "https://r.test": full, "r.test": {} },
    { "r.test": {}, "https://r.test": full },
  ]) {
    assert.deepEqual(lookUp(auths, "r.test"), { kind: "basic", username: "user", password: "x" });
  }
});

test("H04 keys with scheme, port and path, the longest first", () => {
  const table: readonly (readonly [
    keys: readonly string[],
    domain: string,
    path: string,
    user: string | undefined,
  ])[] = [
    [["r.test"], "r.test", "a/b", "user0"],
    [["R.Test"], "r.test", "a/b", "user0"],
    [["https://r.test"], "r.test", "a/b", "user0"],
    [["http://r.test/v1/"], "r.test", "a/b", "user0"],
    [["https://r.test/anything"], "r.test", "a/b", "user0"],
    [["r.test/v2/"], "r.test", "a/b", "user0"],
    [["r.test:5000"], "r.test:5000", "a/b", "user0"],
    [["r.test:5000"], "r.test", "a/b", undefined],
    [["r.test"], "r.test:5000", "a/b", undefined],
    [["r.test", "r.test/a", "r.test/a/b"], "r.test", "a/b", "user2"],
    [["r.test", "r.test/a", "r.test/a/b"], "r.test", "a/bc", "user1"],
    [["r.test", "r.test/a", "r.test/a/b"], "r.test", "c", "user0"],
    [["r.test/a/b"], "r.test", "a", undefined],
    [["docker.io/library"], "docker.io", "library/debian", "user0"],
    [["https://r.test", "r.test"], "r.test", "a", "user1"],
    [["r.test", "https://r.test"], "r.test", "a", "user0"],
    [["https://r.test", "http://r.test"], "r.test", "a", "user0"],
    [["[::1]:5000"], "[::1]:5000", "a", "user0"],
    [["xr.test", "r.tes"], "r.test", "a", undefined],
  ];
  for (const [keys, domain, path, user] of table) {
    assert.equal(nameIn(keys, domain, path), user, `${keys.join(" ")} for ${domain}/${path}`);
  }
});

test("H04 what an entry can hold", () => {
  const table: readonly (readonly [entry: object, expected: Credentials | undefined])[] = [
    [{ auth: base64("me:a:b") }, { kind: "basic", username: "me", password: "a:b" }],
    [{ auth: base64("me:öre") }, { kind: "basic", username: "me", password: "öre" }],
    [{ auth: base64("me:x").replace(/=+$/, "") }, { kind: "basic", username: "me", password: "x" }],
    [{ auth: base64("me:x\0\0") }, { kind: "basic", username: "me", password: "x" }],
    [
      { username: "me", password: "x" },
      { kind: "basic", username: "me", password: "x" },
    ],
    [
      { auth: base64("me:x"), username: "you" },
      { kind: "basic", username: "me", password: "x" },
    ],
    [
      { auth: base64("me:"), identitytoken: "t" },
      { kind: "identity", username: "me", token: "t" },
    ],
    [{ identitytoken: "t" }, { kind: "identity", username: "<token>", token: "t" }],
    [{ auth: base64("<token>:t") }, { kind: "identity", username: "<token>", token: "t" }],
    [
      { auth: base64("me:x"), registrytoken: "r" },
      { kind: "token", token: "r" },
    ],
    [{}, undefined],
    [{ auth: "", email: "me@x.test" }, undefined],
  ];
  for (const [entry, expected] of table) assert.deepEqual(lookUp({ "r.test": entry }, "r.test"), expected);
});

test("H04 a malformed file is named, and nothing of it quoted", () => {
  const files = [
    '{"auths": {"r.test": {"auth": "hunter2"}}',
    '{"auths": {"r.test": {"auth": hunter2}}}',
    '{"auths": {"r.test": {"auth": "hunter2!"}}}',
    `{"auths": {"r.test": {"auth": "${base64("hunter2")}"}}}`,
    '{"auths": {"r.test": {"password": ["hunter2"]}}}',
    '{"auths": ["hunter2"]}',
    '{"credHelpers": {"r.test": "../hunter2"}}',
    '{"credsStore": "a b hunter2"}',
    '{"credsStore": 7}',
    '["hunter2"]',
  ];
  for (const text of files) {
    assert.throws(
      () => parseAuthFile(Buffer.from(text), "/home/me/.docker/config.json"),
      (error: unknown) => {
        assert.ok(hasReason(error, "CONFIG_INVALID"), String(error));
        assert.match(error.message, /\/home\/me\/\.docker\/config\.json/);
        assert.equal(error.cause, undefined);
        assert.doesNotMatch(JSON.stringify([error.message, error.hint, error.facts]), /hunter2|aHVudGVyMg/);
        return true;
      },
      text,
    );
  }
});

test("H04 where files are looked for, and in which order", () => {
  assert.deepEqual(authFilePaths({}, "/home/me"), [
    "/home/me/.docker/config.json",
    "/home/me/.config/containers/auth.json",
  ]);
  const env = {
    REGISTRY_AUTH_FILE: "/a.json",
    DOCKER_CONFIG: "/d",
    XDG_RUNTIME_DIR: "/run/user/1",
    XDG_CONFIG_HOME: "/c",
  };
  assert.deepEqual(authFilePaths(env, "/home/me"), [
    "/a.json",
    "/d/config.json",
    "/run/user/1/containers/auth.json",
    "/c/containers/auth.json",
  ]);
});

test("H04 the first file that knows the host decides; a folder or nothing in its place is no file", async () => {
  await using folder = await makeTempDir("banger-auth-");
  const home = folder.path;
  const env: Record<string, string> = { REGISTRY_AUTH_FILE: join(home, "a.json"), XDG_RUNTIME_DIR: home };
  const lookup = new AuthLookup({ env, home, limits: defaultLimits });
  const find = async (): Promise<string> => {
    const found = await lookup.find("r.test", "team/app", never);
    return found?.kind === "basic" ? found.username : "nobody";
  };
  const save = async (path: string, user: string, host = "r.test"): Promise<void> => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, JSON.stringify({ auths: { [host]: { auth: base64(`${user}:x`) } } }));
  };
  assert.equal(await find(), "nobody");
  await save(join(home, "containers/auth.json"), "podman");
  assert.equal(await find(), "podman");
  await mkdir(join(home, ".docker/config.json"), { recursive: true });
  assert.equal(await find(), "podman");
  env["DOCKER_CONFIG"] = join(home, "docker");
  await save(join(home, "docker/config.json"), "docker");
  assert.equal(await find(), "docker");
  await save(join(home, "a.json"), "other", "elsewhere.test");
  assert.equal(await find(), "docker");
  await save(join(home, "a.json"), "named");
  assert.equal(await find(), "named");
  await writeFile(join(home, "a.json"), " ".repeat(2 << 20));
  await assert.rejects(
    find(),
    (error: unknown) => error instanceof BangerError && error.message.includes("a.json"),
  );
});
