import assert from "node:assert/strict";
import test from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { addressKind } from "../../src/registry/address.ts";
import { parseContentRange } from "../../src/registry/blob-stream.ts";
import { describeErrorBody } from "../../src/registry/error-body.ts";
import { redirectTarget } from "../../src/registry/redirect.ts";
import { parseToken, realmOf } from "../../src/registry/token.ts";
import { parseRetryAfter } from "../../src/registry/transient.ts";

test("address kinds, however an address is written", () => {
  const table = {
    loopback: [
      "localhost",
      "a.localhost",
      "127.0.0.1",
      "127.1",
      "0x7f.1",
      "2130706433",
      "[::1]",
      "[::ffff:127.0.0.1]",
    ],
    forbidden: [
      "169.254.169.254",
      "0.0.0.0",
      "[::]",
      "[fe80::1]",
      "[fd00:ec2::254]",
      "100.100.100.200",
      "[::ffff:168.63.129.16]",
      "192.0.0.192",
      "[::ffff:169.254.169.254]",
      "[64:ff9b::169.254.169.254]",
    ],
    private: ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "[fd12::1]"],
    public: ["8.8.8.8", "172.32.0.1", "[2001:db8::1]"],
    name: ["example.test", "localhost.test", "metadata.google.internal"],
  };
  for (const [kind, hosts] of Object.entries(table)) {
    for (const host of hosts) assert.equal(addressKind(new URL(`http://${host}/`).hostname), kind, host);
  }
});

test("R19 where a redirect may lead", () => {
  const table: readonly (readonly [from: string, location: string | undefined, to: string | undefined])[] = [
    ["https://r.test/v2/x", "https://s3.test/y?z=1", "https://s3.test/y?z=1"],
    ["https://r.test/v2/x", "/y", "https://r.test/y"],
    ["https://r.test/v2/x", "//other.test/y", "https://other.test/y"],
    ["http://127.0.0.1:5000/x", "http://127.0.0.1:9000/y", "http://127.0.0.1:9000/y"],
    ["http://127.0.0.1:5000/x", "https://s3.test/y", "https://s3.test/y"],
    ["https://10.0.0.1/x", "https://10.0.0.2/y", "https://10.0.0.2/y"],
    ["https://r.test/x", "https://10.0.0.2/y", "https://10.0.0.2/y"],
    ["https://8.8.8.8/x", "https://10.0.0.2/y", undefined],
    ["https://r.test/x", "https://127.0.0.1/y", undefined],
    ["https://10.0.0.1/x", "https://localhost/y", undefined],
    ["https://r.test/x", "https://169.254.169.254/y", undefined],
    ["http://127.0.0.1/x", "http://169.254.169.254/y", undefined],
    ["https://r.test/x", "http://r.test/x", undefined],
    ["https://r.test/x", "file:///etc/passwd", undefined],
    ["https://r.test/x", "https://u:p@s3.test/", undefined],
    ["https://r.test/x", undefined, undefined],
  ];
  for (const [from, location, to] of table) {
    const follow = (): string => redirectTarget(new URL(from), location, "test").href;
    if (to === undefined)
      assert.throws(follow, (error: unknown) => hasReason(error, "REGISTRY_PROTOCOL"), location);
    else assert.equal(follow(), to);
  }
});

test("H09 which token servers are asked", () => {
  const table: readonly (readonly [registry: string, realm: string, allowed: boolean])[] = [
    ["https://r.test/", "https://auth.test/token?x=1", true],
    ["https://r.test/", "https://r.test/token", true],
    ["https://r.test/", "/token", true],
    ["https://10.0.0.1:5000/", "https://10.0.0.1:5000/token", true],
    ["http://127.0.0.1:5000/", "http://127.0.0.1:5000/token", true],
    ["https://r.test/", "http://auth.test/token", false],
    ["https://r.test/", "http://r.test/token", false],
    ["https://r.test/", "https://10.0.0.1/token", false],
    ["https://r.test/", "https://127.0.0.1/token", false],
    ["https://r.test/", "https://169.254.169.254/token", false],
    ["http://127.0.0.1:5000/", "http://127.0.0.1:6000/token", false],
    ["http://127.0.0.1:5000/", "http://auth.test/token", false],
    ["https://r.test/", "https://me@auth.test/token", false],
    ["https://r.test/", "", false],
  ];
  for (const [registry, realm, allowed] of table) {
    const challenge = { scheme: "bearer", parameters: new Map([["realm", realm]]) };
    const ask = (): URL => realmOf(challenge, new URL(registry));
    if (allowed) assert.equal(ask().href, new URL(realm, registry).href);
    else
      assert.throws(ask, (error: unknown) => hasReason(error, "REGISTRY_PROTOCOL"), `${registry} ${realm}`);
  }
});

test("a token's life is counted from the earlier of its clock and ours", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  const expiry = (answer: object): number => {
    return (parseToken(Buffer.from(JSON.stringify(answer)), "auth.test", now).expiresAt - now) / 1000;
  };
  assert.equal(expiry({ token: "t" }), 60);
  assert.equal(expiry({ token: "t", expires_in: 300 }), 300);
  assert.equal(expiry({ token: "t", expires_in: 300, issued_at: "2025-12-31T23:59:00Z" }), 240);
  assert.equal(expiry({ token: "t", expires_in: 300, issued_at: "2026-01-01T09:00:00Z" }), 300);
});

test("Retry-After in seconds, as a date, and as nonsense", () => {
  const now = Date.parse("2026-01-02T03:04:05Z");
  const table: readonly (readonly [string | undefined, number | undefined])[] = [
    ["0", 0],
    [" 12 ", 12_000],
    ["Fri, 02 Jan 2026 03:04:35 GMT", 30_000],
    ["Fri, 02 Jan 2026 03:04:00 GMT", 0],
    ["-1", undefined],
    ["1.5", undefined],
    ["soon", undefined],
    ["", undefined],
    [undefined, undefined],
  ];
  for (const [header, expected] of table)
    assert.equal(parseRetryAfter(header, now), expected, String(header));
});

test("Content-Range", () => {
  assert.deepEqual(parseContentRange("bytes 5-9/10"), { start: 5, total: 10 });
  assert.deepEqual(parseContentRange("bytes 5-9/*"), { start: 5, total: undefined });
  for (const header of ["bytes */10", "5-9/10", "", undefined])
    assert.equal(parseContentRange(header), undefined);
});

test("what registries say in their error bodies", () => {
  const describe = (text: string): string => describeErrorBody(Buffer.from(text));
  assert.equal(describe('{"errors":[{"code":"A","message":"b"},{"message":"c"}]}'), "A: b; c");
  assert.equal(describe('{"details":"wrong password"}'), "wrong password");
  assert.equal(describe("go away"), "go away");
  assert.equal(describe("<html>"), "");
  assert.equal(describe('{"errors":"x"}'), '{"errors":"x"}');
  assert.equal(describe(""), "");
});
