import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { digestOf } from "../../src/base/digest.ts";
import { hasReason } from "../../src/base/error.ts";
import { defaultImageName, parseImageName } from "../../src/images/name.ts";

const manifestDigest = digestOf(Buffer.from("x"));

function nameOf(repository: string, tag?: string): string {
  return defaultImageName({ repository, tag, manifestDigest });
}

test("default names", () => {
  assert.equal(nameOf("docker.io/library/debian", "bookworm"), "debian-bookworm");
  assert.equal(nameOf("ghcr.io/o/app", "latest"), "app-latest");
  assert.equal(nameOf("ghcr.io/o/app"), `app-${manifestDigest.slice(7, 19)}`);
  assert.equal(nameOf("oci:/var/My Images/Web Server", "V1"), "web-server-v1");
  assert.equal(nameOf("oci:/", "_"), "image-latest");
  assert.equal(nameOf("oci:/a/", "x/y:z"), "a-x-y-z");
});

test("long names are cut, and stay apart", () => {
  const names = ["a", "b"].map((end) => nameOf(`r.io/${"x".repeat(200)}`, "t".repeat(100) + end));
  assert.equal(new Set(names).size, 2);
  for (const name of names) assert.equal(name.length, 63);
  parseImageName(nameOf(`${".".repeat(1_000_000)}x`, "-".repeat(1_000_000)));
});

const odd = fc.constantFrom("a", "Z", "9", ".", "-", "_", "/", ":", " ", "ä", "\u{1f600}", "\ud800", "\0");

const words = fc.array(odd, { maxLength: 200 }).map((parts) => parts.join(""));

test("fuzz: a default name is always a name", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.option(words, { nil: undefined }), (repository, tag) => {
      parseImageName(nameOf(repository, tag));
    }),
  );
});

test("names that are none are refused", () => {
  for (const name of ["", "-a", ".a", "A", "a b", "a/b", "ä", "a\n", "..", "x".repeat(64)]) {
    assert.throws(
      () => parseImageName(name),
      (error: unknown) => hasReason(error, "NAME_INVALID") && error.fields[0]?.field === "name",
      name,
    );
  }
  assert.equal(parseImageName("0a._-"), "0a._-");
});
