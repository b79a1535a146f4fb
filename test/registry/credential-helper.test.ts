import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { inspect } from "node:util";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { defaultLimits, type Limits } from "../../src/base/limits.ts";
import { AuthLookup } from "../../src/registry/auth-lookup.ts";
import type { Credentials } from "../../src/registry/credentials.ts";
import { buildImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { pullAll } from "./pull-all.ts";

const never = new AbortController().signal;

interface World {
  readonly folder: string;
  readonly lookup: AuthLookup;
  readonly find: (domain: string) => Promise<Credentials | undefined>;
}

/** Helpers are shell scripts in a folder of their own, which is first on the PATH. */
async function withHelpers(
  config: object,
  scripts: Readonly<Record<string, string>>,
  check: (world: World) => Promise<void>,
  limits: Partial<Limits> = {},
): Promise<void> {
  await using folder = await makeTempDir("banger-helper-");
  for (const [name, script] of Object.entries(scripts)) {
    const path = join(folder.path, `docker-credential-${name}`);
    await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  await writeFile(join(folder.path, "config.json"), JSON.stringify(config));
  const path = `${folder.path}:${process.env["PATH"] ?? ""}`;
  const env = { PATH: path, DOCKER_CONFIG: folder.path, TOKEN: "t0", BANGER_CREDS: "me:hunter2" };
  const surroundings = { env, home: folder.path, limits: { ...defaultLimits, ...limits } };
  const lookup = new AuthLookup(surroundings);
  await check({ folder: folder.path, lookup, find: (domain) => lookup.find(domain, "team/app", never) });
}

const answer = (user: string, secret: string): string =>
  `read -r server || true; echo "{\\"ServerURL\\":\\"$server\\",\\"Username\\":\\"${user}\\",\\"Secret\\":\\"${secret}\\"}"`;

test("H05 a helper gets the server on stdin, and its answer is used", async () => {
  const script = `[ "$1" = get ] || exit 9; cat > "$DOCKER_CONFIG/asked"; echo '{"Username":"me","Secret":"'"$TOKEN$BANGER_CREDS"'"}'`;
  await withHelpers({ credsStore: "good" }, { good: script }, async ({ find, folder }) => {
    assert.deepEqual(await find("r.test:5000"), { kind: "basic", username: "me", password: "t0" });
    assert.equal(await readFile(join(folder, "asked"), "utf8"), "r.test:5000");
    await find("docker.io");
    assert.equal(await readFile(join(folder, "asked"), "utf8"), "https://index.docker.io/v1/");
  });
});

test("H05 the user <token> means an identity token, and two empty strings nothing", async () => {
  const config = { credHelpers: { "a.test": "token", "b.test": "empty" } };
  const scripts = { token: answer("<token>", "idt"), empty: answer("", "") };
  await withHelpers(config, scripts, async ({ find }) => {
    assert.deepEqual(await find("a.test"), { kind: "identity", username: "<token>", token: "idt" });
    assert.equal(await find("b.test"), undefined);
  });
});

test("H04 credHelpers come before credsStore, and that before auths", async () => {
  const auths = {
    "a.test": { username: "file", password: "x" },
    "c.test": { username: "file", password: "x" },
  };
  const config = { auths, credHelpers: { "a.test": "one" }, credsStore: "all" };
  const all = `read -r server || true; case "$server" in c.test) echo "credentials not found in native keychain"; exit 1;; esac; echo '{"Username":"all","Secret":"x"}'`;
  await withHelpers(config, { one: answer("one", "x"), all }, async ({ find }) => {
    const user = async (domain: string): Promise<string> => {
      const found = await find(domain);
      return found?.kind === "basic" ? found.username : "nobody";
    };
    assert.equal(await user("a.test"), "one");
    assert.equal(await user("b.test"), "all");
    assert.equal(await user("c.test"), "file");
  });
});

const broken: Readonly<Record<string, readonly [script: string | undefined, message: RegExp]>> = {
  missing: [undefined, /not installed/],
  failing: ["echo 'hunter2 is locked'; echo hunter2 >&2; exit 3", /exit code 3/],
  killed: ["kill -9 $$", /was killed/],
  malformed: ["echo '{\"Username\": hunter2'", /no credentials/],
  endless: ["yes hunter2", /did not do its work/],
  asleep: ["exec sleep 60", /did not do its work/],
};

for (const [name, [script, message]] of Object.entries(broken)) {
  test(`H05 a helper that is ${name} is an error that says so, and no anonymous silence`, async () => {
    const scripts = script === undefined ? {} : { [name]: script };
    const limits = name === "asleep" ? { credentialHelperMs: 200 } : {};
    await withHelpers(
      { credsStore: name },
      scripts,
      async ({ find }) => {
        await assert.rejects(find("r.test"), (error: unknown) => {
          assert.ok(hasReason(error, "REGISTRY_AUTH"), String(error));
          assert.match(error.message, message);
          assert.match(error.message, new RegExp(`docker-credential-${name}`));
          assert.ok(error.hint.length > 20);
          assert.doesNotMatch(inspect(error, { depth: 9 }), /hunter2/);
          return true;
        });
      },
      limits,
    );
  });
}

test("H05 a helper is asked once for a pull, and only by a registry that wants credentials", async () => {
  const script = `echo x >> "$DOCKER_CONFIG/count"; echo '{"Username":"me","Secret":"s"}'`;
  await withHelpers({ credsStore: "count" }, { count: script }, async ({ lookup, folder }) => {
    await using registry = await FakeRegistry.start();
    registry.add("team/app", "1.0", buildImage());
    const reference = `${registry.host}/team/app:1.0`;
    await pullAll(reference, { credentialFinder: lookup });
    await assert.rejects(readFile(join(folder, "count")));
    registry.requireAuth({ scheme: "bearer", user: { name: "me", password: "s" }, uses: 2 });
    await pullAll(reference, { credentialFinder: lookup });
    assert.equal(await readFile(join(folder, "count"), "utf8"), "x\n");
  });
});
