import assert from "node:assert/strict";
import { test } from "node:test";
import type { PullRequest } from "../../src/pull/request.ts";
import { parseStoredRequest, storedRequest } from "../../src/pull/stored-request.ts";
import { credentialsOf } from "../../src/registry/credentials.ts";

const full: PullRequest = {
  reference: "registry.example/app:1",
  name: "app",
  platform: { os: "linux", architecture: "arm", variant: "v7" },
  sizeBytes: 4096,
  builder: "direct",
  noAgents: true,
  keepIdentity: true,
  strict: true,
  verify: "full",
  detached: true,
  kernel: { selection: { kind: "ref", ref: "debian" }, modulesIntoRootfs: true },
};

test("a request comes back as it was", () => {
  const bare: PullRequest = {
    reference: "a",
    name: undefined,
    platform: { os: "linux", architecture: "amd64" },
    sizeBytes: undefined,
    builder: undefined,
    noAgents: false,
    keepIdentity: false,
    strict: false,
    verify: "metadata",
    detached: false,
    kernel: undefined,
  };
  const files = { kernelPath: "/k", initrdPath: undefined, modulesPath: "/m" };
  const withFiles = {
    ...full,
    kernel: { selection: { kind: "files", files }, modulesIntoRootfs: false },
  } as const;
  for (const request of [full, bare, withFiles]) {
    assert.deepEqual(parseStoredRequest(storedRequest(request).json), request);
  }
});

test("credentials are nowhere in it, but that there were some is", () => {
  const stored = storedRequest({ ...full, credentials: credentialsOf("some-user", "some-password") });
  assert.equal(stored.hadCredentials, true);
  assert.doesNotMatch(stored.json, /some-|credentials/);
  assert.equal(storedRequest(full).hadCredentials, false);
});

test("what another version said, or a dying disk, is no request", () => {
  const { json } = storedRequest(full);
  for (const other of [
    "",
    "{}",
    json.slice(1),
    json.replace('"full"', '"deep"'),
    json.replace("true", "1"),
    json.replace('"ref"', '"tag"'),
  ]) {
    assert.equal(parseStoredRequest(other), undefined, other);
  }
});
