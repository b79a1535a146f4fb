import assert from "node:assert/strict";
import test from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { recordingClock } from "../base/recording-clock.ts";
import { buildImage, noise } from "../fakes/registry/images.ts";
import { FakeRegistry, type AuthRules } from "../fakes/registry/registry.ts";
import { pullAll, type PullOptions } from "./pull-all.ts";

const image = buildImage({ layers: [noise(2000), noise(3000, 2)] });
const user = { name: "me", password: "s3cret:öre" };
const credentials = { kind: "basic", username: user.name, password: user.password } as const;

async function withAuth(
  rules: AuthRules,
  check: (registry: FakeRegistry, pull: (options?: PullOptions) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  await using registry = await FakeRegistry.start();
  registry.add("team/app", "1.0", image);
  registry.requireAuth(rules);
  await check(registry, (options) => pullAll(`${registry.host}/team/app:1.0`, options));
}

test("R01 a plain anonymous pull", async () => {
  await using registry = await FakeRegistry.start();
  registry.add("team/app", "1.0", image);
  const { layers, image: resolved } = await pullAll(`${registry.host}/team/app:1.0`);
  assert.deepEqual(
    layers,
    image.blobs.slice(1).map(({ bytes }) => bytes),
  );
  assert.equal(resolved.manifestDigest, image.root.digest);
  assert.equal(resolved.repository, `${registry.host}/team/app`);
  assert.equal(resolved.tag, "1.0");
});

test("R03 a Bearer challenge is answered with an anonymous token", async () => {
  await withAuth({ scheme: "bearer" }, async (registry, pull) => {
    await pull();
    const [asked, ...more] = registry.asked(/^\/token$/);
    assert.equal(more.length, 0, "one token does for the whole pull");
    assert.equal(asked?.query.get("scope"), "repository:any:pull");
    assert.equal(asked?.query.get("service"), "fake");
    assert.equal(asked?.headers["authorization"], undefined);
  });
});

test("R04 the token may be called access_token", async () => {
  await withAuth({ scheme: "bearer", tokenField: "access_token" }, async (_registry, pull) => {
    await pull();
  });
});

test("R05 a token server gets Basic credentials", async () => {
  await withAuth({ scheme: "bearer", user }, async (registry, pull) => {
    await pull({ credentials });
    assert.equal(registry.asked(/^\/token$/)[0]?.query.get("account"), user.name);
    for (const { headers } of registry.asked(/^\/v2\//))
      assert.doesNotMatch(headers["authorization"] ?? "", /Basic/);
    await assert.rejects(pull(), (error: unknown) => hasReason(error, "REGISTRY_AUTH"));
  });
});

const spellings: Readonly<Record<string, readonly string[]>> = {
  "R06 Negotiate, then Bearer": ["Negotiate", 'Bearer realm="http://{host}/token",service="fake"'],
  "R07 Bearer and Basic in one header": [
    'Bearer realm="http://{host}/token",service="fake", Basic realm="x"',
  ],
  "R08 lower case, unquoted, escapes, empty parameter": [
    'bearer realm="http:\\/\\/{host}/token", error=, service=fake, scope=""',
  ],
  "R09 a relative realm is the registry's own": ['Bearer realm="/token",service="fake"'],
  "R49 white space around = and ,": ['Bearer realm = "http://{host}/token" ,  service\t=\t"fake"'],
};

for (const [name, challenges] of Object.entries(spellings)) {
  test(name, async () => {
    await withAuth({ scheme: "bearer", challenges }, async (registry, pull) => {
      await pull();
      assert.equal(registry.asked(/^\/token$/)[0]?.query.get("service"), "fake");
    });
  });
}

test("R10 a Basic challenge is answered with credentials, and only with them", async () => {
  await withAuth({ scheme: "basic", user }, async (registry, pull) => {
    await pull({ credentials });
    registry.requests.length = 0;
    await assert.rejects(
      pull(),
      (error: unknown) => hasReason(error, "REGISTRY_AUTH") && error.hint !== undefined,
    );
    assert.equal(registry.requests.length, 1);
    const wrong = { kind: "basic", username: "me", password: "no" } as const;
    await assert.rejects(pull({ credentials: wrong }), (error: unknown) => {
      assert.ok(hasReason(error, "REGISTRY_AUTH"));
      assert.equal(error.facts["httpStatus"], "401");
      return true;
    });
  });
});

test("R11 an endless 401 ends after a few requests", async () => {
  await withAuth({ scheme: "bearer", uses: 0 }, async (registry, pull) => {
    await assert.rejects(pull(), (error: unknown) => {
      assert.ok(hasReason(error, "REGISTRY_AUTH"));
      assert.match(error.message, /authentication required/);
      return true;
    });
    assert.ok(registry.requests.length <= 6, `${registry.requests.length} requests`);
  });
});

test("R12 a token that runs out between two blobs is renewed once", async () => {
  // The first refusal, manifest, config and one layer: the second layer finds the token spent.
  await withAuth({ scheme: "bearer", uses: 3 }, async (registry, pull) => {
    await pull();
    assert.equal(registry.asked(/^\/token$/).length, 2);
  });
});

test("R12 a token known to expire is renewed before it is used", async () => {
  await withAuth({ scheme: "bearer", expiresIn: 3 }, async (registry, pull) => {
    await pull({ clock: recordingClock() });
    const refused = registry.asked(/^\/v2\//).filter(({ headers }) => headers["authorization"] === undefined);
    assert.equal(refused.length, 1, "only the first request goes without a token");
    assert.equal(registry.asked(/^\/token$/).length, 4, "each later one needs a new token");
  });
});

test("R16 a redirect to another host carries no credentials there", async () => {
  await using storage = await FakeRegistry.start();
  await withAuth({ scheme: "bearer", user }, async (registry, pull) => {
    for (const { digest, bytes } of image.blobs) {
      storage.serve(`/store/${digest}`, bytes);
      registry.fault(
        { path: new RegExp(`blobs/${digest}`) },
        { status: 307, headers: { location: `http://${storage.host}/store/${digest}?signature=x` } },
      );
    }
    await pull({ credentials });
    assert.equal(storage.requests.length, 3);
    for (const { headers, query } of storage.requests) {
      assert.equal(headers["authorization"], undefined);
      assert.equal(query.get("signature"), "x");
    }
  });
});

test("R17 the other host's challenge gets no credentials", async () => {
  await using storage = await FakeRegistry.start();
  storage.requireAuth({ scheme: "bearer" });
  await withAuth({ scheme: "bearer", user }, async (registry, pull) => {
    const location = `http://${storage.host}/v2/stolen/blobs/x`;
    registry.fault({ path: /blobs/ }, { status: 307, headers: { location } });
    await assert.rejects(pull({ credentials }), (error: unknown) => hasReason(error, "REGISTRY_AUTH"));
    assert.equal(storage.requests.length, 1);
    assert.equal(storage.requests[0]?.headers["authorization"], undefined);
  });
});

test("R40 a token server that is no proper URL of a proper host is not asked", async () => {
  const realms = [
    "file:///etc/passwd",
    "gopher://127.0.0.1/x",
    "http://169.254.169.254/latest/meta-data",
    "http://example.test/token",
    "http://me:secret@{host}/token",
    "http://127.0.0.1:1/token",
    "http://[::1]/token",
    "",
  ];
  for (const realm of realms) {
    await withAuth({ scheme: "bearer", challenges: [`Bearer realm="${realm}"`] }, async (registry, pull) => {
      await assert.rejects(pull({ credentials }), (error: unknown) => {
        assert.ok(hasReason(error, "REGISTRY_PROTOCOL"), `${realm}: ${String(error)}`);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
      assert.equal(registry.requests.length, 1);
    });
  }
});

test("R41 a token server's redirect carries no credentials to another host", async () => {
  await using other = await FakeRegistry.start();
  other.serve("/token", Buffer.from(JSON.stringify({ token: "from-elsewhere" })));
  await withAuth({ scheme: "bearer", user }, async (registry, pull) => {
    const location = `http://${other.host}/token`;
    registry.fault({ path: /^\/token$/ }, { status: 302, headers: { location } });
    await assert.rejects(pull({ credentials }), (error: unknown) => hasReason(error, "REGISTRY_AUTH"));
    for (const { headers } of other.requests) assert.equal(headers["authorization"], undefined);
  });
});

test("R42 a token answer that is HTML, endless or has no token is refused", async () => {
  const answers = [
    { body: "<html>welcome</html>" },
    { body: "{", endless: Buffer.alloc(65_536, " ") },
    { body: "{}" },
    { body: '{"token": "two words"}' },
    { body: '{"token": "a\\r\\nX-Evil: 1"}' },
  ];
  for (const answer of answers) {
    await withAuth({ scheme: "bearer" }, async (registry, pull) => {
      registry.fault({ path: /^\/token$/ }, answer);
      await assert.rejects(pull(), (error: unknown) => hasReason(error, "REGISTRY_PROTOCOL"), answer.body);
    });
  }
});

test("R48 a user agent is sent, and cookies are not returned", async () => {
  await using registry = await FakeRegistry.start();
  registry.add("team/app", "1.0", image);
  registry.fault({}, { headers: { "set-cookie": "a=b" } });
  await pullAll(`${registry.host}/team/app:1.0`, { userAgent: "banger/9" });
  for (const { headers } of registry.requests) {
    assert.equal(headers["user-agent"], "banger/9");
    assert.equal(headers["cookie"], undefined);
  }
});

test("H07 a registry token is used as a bearer token directly", async () => {
  await withAuth({ scheme: "bearer" }, async (registry, pull) => {
    await assert.rejects(pull({ credentials: { kind: "token", token: "mine" } }));
    assert.equal(registry.asked(/^\/token$/).length, 0);
    assert.equal(registry.requests[1]?.headers["authorization"], "Bearer mine");
  });
});

test("H08 a token is not used for another repository", async () => {
  await withAuth({ scheme: "bearer" }, async (registry, pull) => {
    registry.add("team/other", "1.0", image);
    await pull();
    registry.requests.length = 0;
    await pullAll(`${registry.host}/team/other:1.0`);
    assert.equal(registry.requests[0]?.headers["authorization"], undefined);
    assert.equal(registry.asked(/^\/token$/).length, 1);
  });
});

test("H10 errors name neither credentials, tokens nor the query of a redirect", async () => {
  await using storage = await FakeRegistry.start();
  await withAuth({ scheme: "bearer", user }, async (registry, pull) => {
    const location = `http://${storage.host}/gone?X-Amz-Signature=hush`;
    registry.fault({ path: /blobs/ }, { status: 307, headers: { location } });
    await assert.rejects(pull({ credentials }), (error: unknown) => {
      assert.ok(hasReason(error, "BLOB_UNKNOWN"));
      const told = JSON.stringify([error.message, error.hint, error.facts, String(error.cause)]);
      assert.doesNotMatch(told, /hush|s3cret|token-\d/);
      return true;
    });
  });
});
