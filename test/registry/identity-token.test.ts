import assert from "node:assert/strict";
import test from "node:test";
import { inspect } from "node:util";
import { hasReason } from "../../src/base/error.ts";
import { buildImage, noise } from "../fakes/registry/images.ts";
import { FakeRegistry, type AuthRules } from "../fakes/registry/registry.ts";
import { pullAll } from "./pull-all.ts";

const image = buildImage({ layers: [noise(2000), noise(3000, 2)] });
const credentials = { kind: "identity", username: "<token>", token: "hunter2" } as const;

async function withAuth(
  rules: Omit<AuthRules, "scheme">,
  check: (registry: FakeRegistry, pull: () => Promise<unknown>) => Promise<void>,
): Promise<void> {
  await using registry = await FakeRegistry.start();
  registry.add("team/app", "1.0", image);
  registry.requireAuth({ scheme: "bearer", ...rules });
  await check(registry, () => pullAll(`${registry.host}/team/app:1.0`, { credentials }));
}

test("H06 an identity token is posted for a bearer token", async () => {
  await withAuth({ identity: "hunter2", tokenField: "access_token" }, async (registry, pull) => {
    await pull();
    const [asked, ...more] = registry.asked(/^\/token$/);
    assert.equal(more.length, 0);
    assert.equal(asked?.method, "POST");
    assert.equal(asked.headers["authorization"], undefined);
    assert.equal(asked.headers["content-type"], "application/x-www-form-urlencoded");
    assert.deepEqual(Object.fromEntries(asked.form), {
      grant_type: "refresh_token",
      client_id: "banger",
      service: "fake",
      scope: "repository:any:pull",
      refresh_token: "hunter2",
    });
    assert.equal([...asked.query].length, 0, "a secret has no place in a URL");
  });
});

for (const noPostStatus of [404, 405]) {
  test(`H06 a token server that answers ${noPostStatus} to a POST is asked by GET with Basic`, async () => {
    const user = { name: "<token>", password: "hunter2" };
    await withAuth({ noPostStatus, user }, async (registry, pull) => {
      await pull();
      const [post, get, ...more] = registry.asked(/^\/token$/);
      assert.deepEqual([post?.method, get?.method, more.length], ["POST", "GET", 0]);
      assert.equal(get?.query.get("account"), null);
    });
  });
}

test("H06 a token that runs out is renewed with what took the identity token's place", async () => {
  await withAuth({ identity: "hunter2", nextIdentity: "hunter3", uses: 3 }, async (registry, pull) => {
    await pull();
    const sent = registry.asked(/^\/token$/).map(({ form }) => form.get("refresh_token"));
    assert.deepEqual(sent, ["hunter2", "hunter3"]);
  });
});

test("H06 a refused identity token is an error without it, and no GET follows", async () => {
  await withAuth({ identity: "another" }, async (registry, pull) => {
    await assert.rejects(pull(), (error: unknown) => {
      assert.ok(hasReason(error, "REGISTRY_AUTH"));
      assert.doesNotMatch(inspect(error, { depth: 9 }), /hunter/);
      return true;
    });
    assert.equal(registry.asked(/^\/token$/).length, 1);
  });
});

test("H06 a redirect of the POST is not followed", async () => {
  await using other = await FakeRegistry.start();
  await withAuth({ identity: "hunter2" }, async (registry, pull) => {
    const headers = { location: `http://${other.host}/token` };
    registry.fault({ path: /^\/token$/ }, { status: 307, headers });
    await assert.rejects(pull(), (error: unknown) => hasReason(error, "REGISTRY_PROTOCOL"));
    assert.equal(other.requests.length, 0);
  });
});

test("H06 several scopes are parameters of their own in a GET, and one in a POST", async () => {
  const scopes = "repository:team/app:pull repository:team/base:pull";
  const challenges = [`Bearer realm="http://{host}/token",service="fake",scope="${scopes}"`];
  await withAuth({ challenges, identity: "hunter2" }, async (registry, pull) => {
    await pull();
    assert.equal(registry.asked(/^\/token$/)[0]?.form.get("scope"), scopes);
    registry.requests.length = 0;
    await pullAll(`${registry.host}/team/app:1.0`);
    assert.deepEqual(registry.asked(/^\/token$/)[0]?.query.getAll("scope"), scopes.split(" "));
  });
});
