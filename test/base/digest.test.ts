import assert from "node:assert/strict";
import test from "node:test";
import {
  Digester,
  algorithmOf,
  digestOf,
  hexOf,
  isDigest,
  parseDigest,
  shortDigest,
} from "../../src/base/digest.ts";
import { hasReason } from "../../src/base/error.ts";

const hex256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

test("sha256 and sha512 are digests, and nothing else is", () => {
  assert.ok(isDigest(`sha256:${hex256}`));
  assert.ok(isDigest(`sha512:${hex256}${hex256}`));
  const wrong = [
    hex256,
    `sha256:${hex256.toUpperCase()}`,
    `sha256:${hex256.slice(1)}`,
    `sha256:${hex256}0`,
    `sha512:${hex256}`,
    `md5:${hex256.slice(0, 32)}`,
    `sha256:../../${hex256.slice(6)}`,
    `sha256:${hex256}\n`,
    ` sha256:${hex256}`,
    "",
  ];
  for (const text of wrong) {
    assert.ok(!isDigest(text), text);
    assert.throws(
      () => parseDigest(text, "test"),
      (error) => hasReason(error, "MANIFEST_INVALID"),
    );
  }
});

test("the hash is that of the bytes", () => {
  assert.equal(digestOf(Buffer.alloc(0)), `sha256:${hex256}`);
  const digester = new Digester("sha512");
  digester.update(Buffer.from("a"));
  digester.update(Buffer.from("b"));
  const digest = digester.digest();
  assert.equal(digest, digestOf(Buffer.from("ab"), "sha512"));
  assert.equal(algorithmOf(digest), "sha512");
  assert.equal(hexOf(digest).length, 128);
  assert.equal(shortDigest(digestOf(Buffer.alloc(0))), "e3b0c44298fc");
});
