import assert from "node:assert/strict";
import test from "node:test";
import { digestOf } from "../../src/base/digest.ts";
import { derivedUuid, optionsKey, rootfsKey } from "../../src/pull/identity.ts";
import type { PullRequest } from "../../src/pull/request.ts";

const request: PullRequest = {
  reference: "debian",
  name: undefined,
  platform: { os: "linux", architecture: "amd64" },
  sizeBytes: undefined,
  builder: undefined,
  noAgents: false,
  keepIdentity: false,
  strict: false,
  verify: "metadata",
  detached: false,
};

test("the key holds what decides the bytes, and only that", () => {
  const assets = digestOf(Buffer.from("assets"));
  const key = rootfsKey(request, assets);
  assert.equal(rootfsKey({ ...request, builder: "direct" }, assets), key, "the default, named");
  for (const same of [{ name: "x" }, { detached: true }, { strict: true }, { verify: "full" as const }]) {
    assert.equal(rootfsKey({ ...request, ...same }, assets), key);
  }
  for (const other of [{ sizeBytes: 1 << 30 }, { builder: "e2fsprogs" as const }, { keepIdentity: true }]) {
    assert.notEqual(rootfsKey({ ...request, ...other }, assets), key);
  }
  assert.notEqual(rootfsKey(request, digestOf(Buffer.from("other assets"))), key);
  const without = rootfsKey({ ...request, noAgents: true }, undefined);
  assert.notEqual(without, key);
  assert.equal(rootfsKey({ ...request, noAgents: true, keepIdentity: true }, undefined), without);
});

test("the kernel is part of what an image is, and its modules of what the root file system is", () => {
  const [one, other] = [digestOf(Buffer.from("one")), digestOf(Buffer.from("other"))];
  const rootfs = rootfsKey(request, undefined);
  const kernel = (name: string, contentDigest: typeof one) =>
    optionsKey(rootfs, { name, facts: { contentDigest } });
  assert.equal(optionsKey(rootfs, undefined), rootfs, "as before there were kernels");
  assert.equal(new Set([rootfs, kernel("k", one), kernel("k", other), kernel("l", one)]).size, 4);
  assert.equal(
    new Set([rootfs, rootfsKey(request, undefined, one), rootfsKey(request, undefined, other)]).size,
    3,
  );
});

test("a UUID follows from the inputs, is of RFC 9562's version 8, and differs with each of them", () => {
  const digest = digestOf(Buffer.from("a"));
  const uuid = derivedUuid("file system", digest, "k");
  assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(derivedUuid("file system", digest, "k"), uuid);
  const others = [
    derivedUuid("hash seed", digest, "k"),
    derivedUuid("file system", digestOf(Buffer.from("b")), "k"),
    derivedUuid("file system", digest, "l"),
  ];
  assert.equal(new Set([uuid, ...others]).size, 4);
});
