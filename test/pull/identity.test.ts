import assert from "node:assert/strict";
import test from "node:test";
import { digestOf } from "../../src/base/digest.ts";
import { derivedUuid, optionsKey } from "../../src/pull/identity.ts";
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
  const key = optionsKey(request, assets);
  assert.equal(optionsKey({ ...request, builder: "e2fsprogs" }, assets), key, "the default, named");
  for (const same of [{ name: "x" }, { detached: true }, { strict: true }, { verify: "full" as const }]) {
    assert.equal(optionsKey({ ...request, ...same }, assets), key);
  }
  for (const other of [{ sizeBytes: 1 << 30 }, { builder: "direct" as const }, { keepIdentity: true }]) {
    assert.notEqual(optionsKey({ ...request, ...other }, assets), key);
  }
  assert.notEqual(optionsKey(request, digestOf(Buffer.from("other assets"))), key);
  const without = optionsKey({ ...request, noAgents: true }, undefined);
  assert.notEqual(without, key);
  assert.equal(optionsKey({ ...request, noAgents: true, keepIdentity: true }, undefined), without);
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
