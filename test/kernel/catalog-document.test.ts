import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { hasReason } from "../../src/base/error.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { parseCatalog } from "../../src/kernel/catalog-document.ts";
import type { CatalogEntry } from "../../src/kernel/kernel-source.ts";
import { schemaAccepts } from "./catalog-schema.ts";

const sha256 = "a".repeat(64);
const entry = {
  name: "debian-cloud",
  version: "6.1.0-42-cloud-amd64",
  architecture: "amd64",
  source: { artifact: "ghcr.io/o/kernel:6.1" },
};

const parse = (document: unknown): readonly CatalogEntry[] =>
  parseCatalog(Buffer.from(JSON.stringify(document)), "test", defaultLimits);

function accepts(document: unknown): boolean {
  try {
    parse(document);
    return true;
  } catch (error) {
    assert.ok(hasReason(error, "CATALOG_INVALID"), String(error));
    return false;
  }
}

const catalog = (...kernels: readonly unknown[]): unknown => ({ schemaVersion: 1, kernels });
const withSource = (source: unknown): unknown => catalog({ ...entry, source });
const urlSource = { url: "https://h/k.tar.zst", sha256 };

/** Documents that parser and schema accept, and those that both refuse. */
const good: Readonly<Record<string, unknown>> = {
  empty: catalog(),
  artifact: catalog(entry),
  "several, also of one name": catalog(entry, { ...entry, architecture: "arm64" }, entry),
  "an artifact by digest": withSource({ artifact: `h:5000/k@sha256:${sha256}` }),
  "an artifact in a layout": withSource({ artifact: "oci:/layouts/k:6.1" }),
  "file names": withSource({
    artifact: "h/k",
    files: { kernel: "boot/vmlinuz", initrd: "i.img", modules: "lib/modules/6.1" },
  }),
  "a URL": withSource(urlSource),
  "a URL of an address": withSource({ ...urlSource, url: "http://[::1]:8080/k?x=1#y" }),
  "a URL with a size": withSource({ ...urlSource, size: 123 }),
  "a package": withSource({ deb: "/k/linux.deb", sha256 }),
  "a package by URL": withSource({ deb: "https://h/linux.deb", sha256, size: 26_000_000 }),
  "what is not known": { ...Object(catalog({ ...entry, note: "x" })), $schema: "x", more: [1] },
  "null is nothing": withSource({ artifact: "h/k", url: null, deb: null, files: { kernel: null } }),
  "null is nothing, again": withSource({ ...urlSource, artifact: null, size: null, files: null }),
};

const bad: Readonly<Record<string, unknown>> = {
  "no object": [],
  "no version": { kernels: [] },
  "another version": { schemaVersion: 2, kernels: [] },
  "no kernels": { schemaVersion: 1 },
  "kernels null": { schemaVersion: 1, kernels: null },
  "kernels an object": { schemaVersion: 1, kernels: {} },
  "an entry that is none": catalog("x"),
  "no name": catalog({ ...entry, name: undefined }),
  "a name in capitals": catalog({ ...entry, name: "Debian" }),
  "a name that is a path": catalog({ ...entry, name: "../x" }),
  "a name too long": catalog({ ...entry, name: "a".repeat(64) }),
  "a name with a line break": catalog({ ...entry, name: "a\n" }),
  "no kernel version": catalog({ ...entry, version: undefined }),
  "a version with a slash": catalog({ ...entry, version: "6/1" }),
  "a version that is a number": catalog({ ...entry, version: 6.1 }),
  "no architecture": catalog({ ...entry, architecture: undefined }),
  "an architecture with a slash": catalog({ ...entry, architecture: "linux/amd64" }),
  "no source": catalog({ ...entry, source: undefined }),
  "an empty source": withSource({}),
  "two sources": withSource({ artifact: "h/k", ...urlSource }),
  "an empty artifact": withSource({ artifact: "" }),
  "an artifact with a space": withSource({ artifact: "h/k x" }),
  "a URL without its digest": withSource({ url: "https://h/k" }),
  "a URL with half a digest": withSource({ ...urlSource, sha256: "aa" }),
  "a URL with a digest in capitals": withSource({ ...urlSource, sha256: sha256.toUpperCase() }),
  "a URL with credentials": withSource({ ...urlSource, url: "https://u:p@h/k" }),
  "a file URL": withSource({ ...urlSource, url: "file:///etc/passwd" }),
  "a size of 0": withSource({ ...urlSource, size: 0 }),
  "a size that is text": withSource({ ...urlSource, size: "1" }),
  "a size that is no whole number": withSource({ ...urlSource, size: 1.5 }),
  "a package without its digest": withSource({ deb: "/k.deb" }),
  "a package by a relative path": withSource({ deb: "k.deb", sha256 }),
  "a file that leads out": withSource({ artifact: "h/k", files: { kernel: "../k" } }),
  "a file that leads out in the middle": withSource({ artifact: "h/k", files: { kernel: "a/../../k" } }),
  "an absolute file": withSource({ artifact: "h/k", files: { kernel: "/k" } }),
  "an empty file": withSource({ artifact: "h/k", files: { initrd: "" } }),
  "a folder by its slash": withSource({ artifact: "h/k", files: { modules: "m/" } }),
  "files that are a list": withSource({ artifact: "h/k", files: ["kernel"] }),
};

test("parser and published schema accept the same documents", () => {
  for (const [what, document] of Object.entries(good)) {
    assert.equal(accepts(document), true, what);
    assert.equal(schemaAccepts(plain(document)), true, `${what}, by the schema`);
  }
});

test("parser and published schema refuse the same documents", () => {
  for (const [what, document] of Object.entries(bad)) {
    assert.equal(accepts(document), false, what);
    assert.equal(schemaAccepts(plain(document)), false, `${what}, by the schema`);
  }
});

/** As it reads once it was written: without what is undefined. */
function plain(document: unknown): unknown {
  const value: unknown = JSON.parse(JSON.stringify(document));
  return value;
}

test("an entry is what its catalog says", () => {
  assert.deepEqual(parse(catalog(entry, { ...entry, source: { deb: "/k.deb", sha256, size: 5 } })), [
    { catalog: "test", ...entry, source: { kind: "artifact", reference: "ghcr.io/o/kernel:6.1" } },
    { catalog: "test", ...entry, source: { kind: "deb", location: "/k.deb", sha256, size: 5 } },
  ]);
  for (const files of [{ initrd: "i.img", modules: "m" }, { kernel: "k" }, {}]) {
    const [{ source } = {}] = parse(withSource({ artifact: "h/k", files }));
    assert.deepEqual(source, { kind: "artifact", reference: "h/k", files });
  }
});

test("more entries than allowed are refused", () => {
  const two = Buffer.from(JSON.stringify(catalog(entry, entry)));
  assert.equal(parseCatalog(two, "test", { catalogEntries: 2 }).length, 2);
  assert.throws(
    () => parseCatalog(two, "test", { catalogEntries: 1 }),
    (error: unknown) => hasReason(error, "CATALOG_INVALID"),
  );
});

test("errors name the catalog and the place", () => {
  assert.throws(
    () => parse(catalog(entry, { ...entry, source: { deb: "k.deb", sha256 } })),
    /the kernel catalog test: kernels\[1\]\.source\.deb is not/,
  );
});

test("parser and schema agree on what is made up of their words", () => {
  const word = fc.constantFrom<unknown>(
    "https://h/k",
    "/k.deb",
    "h/k",
    sha256,
    "a",
    "",
    1,
    0,
    null,
    [],
    {},
    true,
  );
  const source = fc.dictionary(
    fc.constantFrom("artifact", "url", "deb", "sha256", "size", "files", "other"),
    fc.oneof(word, fc.dictionary(fc.constantFrom("kernel", "initrd", "modules"), word)),
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.oneof(source, word), (value) => {
      const document = withSource(value);
      assert.equal(accepts(document), schemaAccepts(plain(document)));
    }),
    { numRuns: 300 },
  );
});

test("any bytes are a catalog or refused as none", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        try {
          parseCatalog(bytes, "test", defaultLimits);
        } catch (error) {
          assert.ok(hasReason(error, "CATALOG_INVALID"), String(error));
        }
      },
    ),
  );
});
