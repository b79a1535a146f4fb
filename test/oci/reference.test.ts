import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { hasReason } from "../../src/base/error.ts";
import { formatReference, parseReference, repositoryOf } from "../../src/oci/reference.ts";
import {
  absoluteSourceReference,
  formatSourceReference,
  parseSourceReference,
} from "../../src/oci/source-reference.ts";

const hex = "0123456789abcdef".repeat(4);
const sha256 = `sha256:${hex}`;
const sha512 = `sha512:${hex}${hex}`;

/** Names of distribution/reference's own tests, and what they become. */
const good: Readonly<Record<string, string>> = {
  debian: "docker.io/library/debian:latest",
  "debian:bookworm": "docker.io/library/debian:bookworm",
  "docker.io/debian": "docker.io/library/debian:latest",
  "docker.io/library/debian": "docker.io/library/debian:latest",
  "index.docker.io/debian": "docker.io/library/debian:latest",
  "index.docker.io/a/b": "docker.io/a/b:latest",
  "library/debian": "docker.io/library/debian:latest",
  "owner/app:1.2": "docker.io/owner/app:1.2",
  "ghcr.io/owner/app": "ghcr.io/owner/app:latest",
  "localhost/app": "localhost/app:latest",
  "localhost:5000/app:x": "localhost:5000/app:x",
  "localhost:5000": "docker.io/library/localhost:5000",
  "127.0.0.1:5000/app": "127.0.0.1:5000/app:latest",
  "[::1]/app": "[::1]/app:latest",
  "[::1]:5000/app:t": "[::1]:5000/app:t",
  "[2001:db8::1]:5000/a/b/c": "[2001:db8::1]:5000/a/b/c:latest",
  "Registry/app": "Registry/app:latest",
  "sub-dom1.foo.com/bar/baz/quux:tag": "sub-dom1.foo.com/bar/baz/quux:tag",
  "xn--n3h.com/myimage:xn--n3h.com": "xn--n3h.com/myimage:xn--n3h.com",
  "a__b/c-d/e--f/g.h/i_j": "docker.io/a__b/c-d/e--f/g.h/i_j:latest",
  "a.b/c": "a.b/c:latest",
  "app:_T.x-9": "docker.io/library/app:_T.x-9",
  [`app@${sha256}`]: `docker.io/library/app@${sha256}`,
  [`app:tag@${sha256}`]: `docker.io/library/app:tag@${sha256}`,
  [`r.io:443/app:tag@${sha512}`]: `r.io:443/app:tag@${sha512}`,
  [`${"a".repeat(128)}:${"b".repeat(128)}`]: `docker.io/library/${"a".repeat(128)}:${"b".repeat(128)}`,
  [`r.io/${"a".repeat(255)}`]: `r.io/${"a".repeat(255)}:latest`,
  [hex.slice(1)]: `docker.io/library/${hex.slice(1)}:latest`,
  [`x/${hex}`]: `docker.io/x/${hex}:latest`,
};

const bad: readonly string[] = [
  "",
  " ",
  "Debian",
  "r.io/App",
  "debian:",
  "debian:-x",
  "debian:.x",
  "debian:a b",
  "debian:a:b",
  `debian:${"b".repeat(129)}`,
  `r.io/${"a".repeat(256)}`,
  "https://r.io/app",
  "docker://app",
  "r.io/",
  "r.io//app",
  "/app",
  "app/",
  "-app",
  "app-",
  "a___b",
  "a..b",
  "a._b",
  "_app",
  "r..io/app",
  "-r.io/app",
  "r-.io/app",
  "r.io:/app",
  "r.io:x/app",
  "r.io:0/app",
  "r.io:65536/app",
  "[::1/app",
  "[g::1]/app",
  "[:::]/app",
  "[fe80::1%eth0]/app",
  "300.300.300.300/app",
  "app@",
  "app@sha256:abc",
  `app@sha256:${hex.toUpperCase()}`,
  `app@md5:${hex.slice(32)}`,
  `app@${sha256}@${sha256}`,
  `@${sha256}`,
  ":tag",
  hex,
  "app\n",
  "app\0",
  "äpp",
  "a".repeat(5000),
];

test("references in their normal form", () => {
  for (const [text, expected] of Object.entries(good)) {
    const reference = parseReference(text);
    assert.equal(formatReference(reference), expected, text);
    assert.deepEqual(parseReference(expected), reference, "the normal form is its own");
  }
  assert.equal(repositoryOf(parseReference("debian:x")), "docker.io/library/debian");
  assert.deepEqual(parseReference(`r.io:5000/a/b:t@${sha256}`), {
    domain: "r.io:5000",
    path: "a/b",
    tag: "t",
    digest: sha256,
  });
});

test("malformed references are refused, with the field and a hint", () => {
  for (const text of bad) {
    assert.throws(
      () => parseReference(text),
      (error: unknown) => {
        assert.ok(hasReason(error, "REFERENCE_INVALID"));
        assert.equal(error.fields[0]?.field, "reference");
        assert.ok(error.hint !== undefined);
        assert.ok(error.message.length < 400);
        return true;
      },
      JSON.stringify(text.slice(0, 80)),
    );
  }
  const upper = (): unknown => parseReference("r.io/Team/App:X");
  assert.throws(
    upper,
    (error: unknown) => hasReason(error, "REFERENCE_INVALID") && /team\/app/.test(error.hint ?? ""),
  );
});

test("a path of this machine is taken for one", () => {
  for (const path of ["./image", "../image:latest", "/srv/image", "~/image"]) {
    assert.throws(
      () => parseReference(path),
      (error: unknown) =>
        hasReason(error, "REFERENCE_INVALID") && error.hint.includes(` write oci:${path}, for an archive`),
      path,
    );
  }
});

test("fuzz: what parses keeps its meaning, and is safe in a URL's path", () => {
  const text = fc.string({ unit: fc.constantFrom(..."aB0.-_/:@[]% ".split("")) });
  const any = fc.oneof(
    text,
    fc.tuple(text, text).map(([a, b]) => `r.io/${a}:${b}`),
    fc.constant(`a@${sha256}`),
  );
  fc.assert(
    fc.property(any, (candidate) => {
      try {
        const reference = parseReference(candidate);
        assert.deepEqual(parseReference(formatReference(reference)), reference);
        const url = new URL(
          `https://${reference.domain}/v2/${reference.path}/manifests/${reference.tag ?? ""}`,
        );
        assert.equal(url.pathname, `/v2/${reference.path}/manifests/${reference.tag ?? ""}`);
      } catch (error) {
        assert.ok(hasReason(error, "REFERENCE_INVALID"), String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test("sources are told from names in a registry", () => {
  const layout = (path: string, tag?: string, digest?: string): object => ({
    kind: "oci",
    path,
    tag,
    digest,
  });
  const table: readonly (readonly [string, object])[] = [
    ["oci:/a/b", layout("/a/b")],
    ["oci:/a/b:v1", layout("/a/b", "v1")],
    ["oci:rel:v1", layout("rel", "v1")],
    ["oci:/a:b/c", layout("/a:b/c")],
    ["oci:/a:b/c:v1", layout("/a:b/c", "v1")],
    ["oci:/a:b/", layout("/a:b/")],
    [`oci:/a@${sha256}`, layout("/a", undefined, sha256)],
    ["oci:/a@b", layout("/a@b")],
    ["oci:/me@work:v1", layout("/me@work", "v1")],
    ["oci-archive:/x.tar:v1", { kind: "oci-archive", path: "/x.tar", tag: "v1", digest: undefined }],
    [`oci-archive:x.tar@${sha256}`, { kind: "oci-archive", path: "x.tar", tag: undefined, digest: sha256 }],
    ["docker-archive:/x.tar:ghcr.io/a/b:1", { kind: "docker-archive", path: "/x.tar", tag: "ghcr.io/a/b:1" }],
    ["docker-archive:x.tar", { kind: "docker-archive", path: "x.tar", tag: undefined }],
  ];
  for (const [text, expected] of table) {
    const source = parseSourceReference(text);
    assert.deepEqual(source, expected, text);
    assert.equal(formatSourceReference(source), text);
  }
  assert.equal(parseSourceReference("ocicat:1").kind, "registry");
  const cut = sha256.slice(0, -1);
  for (const text of [
    `oci:/a@${cut}`,
    `oci:/a:b@${cut}`,
    `oci-archive:/a@${sha256.toUpperCase()}`,
    "oci:a@sha256:",
  ]) {
    assert.throws(
      () => parseSourceReference(text),
      (error: unknown) => hasReason(error, "REFERENCE_INVALID") && /malformed digest/.test(error.message),
      text,
    );
  }
  for (const text of ["oci:", "oci::v1", "oci:/a:", "oci:/a:-x", "oci:/a\0b", "oci-archive:"]) {
    assert.throws(
      () => parseSourceReference(text),
      (error: unknown) => hasReason(error, "REFERENCE_INVALID"),
      text,
    );
  }
});

test("a client makes a folder absolute before a daemon sees it", () => {
  assert.equal(absoluteSourceReference("oci:images/x:v1", "/home/me"), "oci:/home/me/images/x:v1");
  assert.equal(absoluteSourceReference("oci:/x", "/home/me"), "oci:/x");
  assert.equal(absoluteSourceReference("debian:x", "/home/me"), "debian:x");
});

test("a scheme is named, with what is left without it", () => {
  const hint = (text: string): string => {
    try {
      parseReference(text);
    } catch (error) {
      if (hasReason(error, "REFERENCE_INVALID")) return error.hint;
    }
    return "";
  };
  assert.equal(hint("docker://r.io/app:1"), "Leave docker:// out: r.io/app:1");
  assert.equal(hint("https://r.io/app"), "Leave https:// out: r.io/app");
  assert.equal(hint("http://"), "Leave http:// out");
});
