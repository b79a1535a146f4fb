import assert from "node:assert/strict";
import type { LookupAddress } from "node:dns";
import test from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { guardedLookup, noticingLookup, type Resolve } from "../../src/registry/guarded-lookup.ts";
import { buildImage } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { pullAll } from "./pull-all.ts";

const resolving =
  (...addresses: readonly string[]): Resolve =>
  (_hostname, _options, callback) => {
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
  };

type Outcome = string | readonly LookupAddress[] | Error;

async function look(resolve: Resolve, isLocal: boolean, all: boolean): Promise<Outcome> {
  const { promise, resolve: done } = Promise.withResolvers<Outcome>();
  guardedLookup(() => isLocal, resolve)("r.test", { all }, (error, found) => done(error ?? found));
  return await promise;
}

test("R19 a name that a server gave us may not lead where an address may not", async () => {
  const table: readonly (readonly [
    addresses: readonly string[],
    isLocal: boolean,
    found: string | undefined,
  ])[] = [
    [["8.8.8.8"], false, "8.8.8.8"],
    [["2001:db8::1", "8.8.8.8"], false, "2001:db8::1"],
    [["10.0.0.1"], false, "10.0.0.1"],
    [["169.254.169.254"], false, undefined],
    [["169.254.169.254"], true, undefined],
    [["fe80::1", "fd00:ec2::254", "::ffff:169.254.169.254", "100.100.100.200"], false, undefined],
    [["0.0.0.0"], true, undefined],
    [["127.0.0.1"], false, undefined],
    [["::1"], false, undefined],
    [["127.0.0.1"], true, "127.0.0.1"],
    [["169.254.169.254", "8.8.8.8"], false, "8.8.8.8"],
    [[], false, undefined],
  ];
  for (const [addresses, isLocal, expected] of table) {
    const one = await look(resolving(...addresses), isLocal, false);
    const all = await look(resolving(...addresses), isLocal, true);
    if (expected === undefined) {
      for (const outcome of [one, all]) assert.ok(hasReason(outcome, "REGISTRY_PROTOCOL"), addresses.join());
    } else {
      assert.equal(one, expected);
      assert.ok(Array.isArray(all) && all.length > 0);
      assert.equal(
        all.some(({ address }) => address === "169.254.169.254"),
        false,
      );
    }
  }
});

test("a look-up that fails says so, and the registry's own name may lead anywhere", async () => {
  const failing: Resolve = (_hostname, _options, callback) => {
    callback(Object.assign(new Error("no such name"), { code: "ENOTFOUND" }), []);
  };
  const failed = await look(failing, false, true);
  assert.ok(failed instanceof Error && failed.message === "no such name");
  let local = 0;
  for (const address of ["127.0.0.1", "10.0.0.1"]) {
    const { promise, resolve: done } = Promise.withResolvers<Outcome>();
    noticingLookup(() => void local++, resolving(address))("r.test", {}, (_error, found) => done(found));
    assert.equal(await promise, address);
  }
  assert.equal(local, 1);
});

test("a registry on localhost may redirect to localhost", async () => {
  await using registry = await FakeRegistry.start();
  await using storage = await FakeRegistry.start();
  const image = buildImage();
  registry.add("team/app", "1.0", image);
  const blob = image.blobs[1];
  assert.ok(blob !== undefined);
  storage.serve("/blob", blob.bytes);
  const location = `http://localhost:${storage.port}/blob`;
  registry.fault({ path: new RegExp(blob.digest) }, { status: 307, headers: { location } });
  assert.deepEqual((await pullAll(`localhost:${registry.port}/team/app:1.0`)).layers, [blob.bytes]);
  assert.equal(storage.requests.length, 1);
});
