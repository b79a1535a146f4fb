import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { hasReason } from "../../src/base/error.ts";
import { absoluteKernelRef, formatKernelSource, parseKernelRef } from "../../src/kernel/kernel-ref.ts";

const sha256 = "a".repeat(64);

test("a kernel's name, package, URL and artifact are told apart", () => {
  const table: readonly (readonly [string, unknown])[] = [
    ["debian-cloud", { kind: "name", name: "debian-cloud" }],
    ["6.1.0-42-cloud-amd64", { kind: "name", name: "6.1.0-42-cloud-amd64" }],
    [
      "deb:/k/linux-image-6.1.0-42-cloud-amd64_6.1.159-1_amd64.deb",
      {
        kind: "source",
        source: {
          kind: "deb",
          location: "/k/linux-image-6.1.0-42-cloud-amd64_6.1.159-1_amd64.deb",
          sha256: undefined,
        },
        defaultName: "linux-image-6.1.0-42-cloud-amd64",
      },
    ],
    [
      `deb:/k/My Kernel@home.deb@sha256:${sha256}`,
      {
        kind: "source",
        source: { kind: "deb", location: "/k/My Kernel@home.deb", sha256 },
        defaultName: "my-kernel-home",
      },
    ],
    [
      `deb:https://deb.example/pool/linux%2dimage_6.1%2b1_amd64.deb?t=1@sha256:${sha256}`,
      {
        kind: "source",
        source: {
          kind: "deb",
          location: "https://deb.example/pool/linux%2dimage_6.1%2b1_amd64.deb?t=1",
          sha256,
        },
        defaultName: "linux-image",
      },
    ],
    [
      `http://127.0.0.1:8080/kernels/fc-6.1.tar.zst@sha256:${sha256}`,
      {
        kind: "source",
        source: { kind: "url", url: "http://127.0.0.1:8080/kernels/fc-6.1.tar.zst", sha256 },
        defaultName: "fc-6.1",
      },
    ],
    [
      `https://h/@sha256:${sha256}`,
      { kind: "source", source: { kind: "url", url: "https://h/", sha256 }, defaultName: "kernel" },
    ],
    [
      "artifact:ghcr.io/o/Kernel:6.1".toLowerCase(),
      {
        kind: "source",
        source: { kind: "artifact", reference: "ghcr.io/o/kernel:6.1" },
        defaultName: "kernel-6.1",
      },
    ],
    [
      `artifact:h:5000/k@sha256:${sha256}`,
      {
        kind: "source",
        source: { kind: "artifact", reference: `h:5000/k@sha256:${sha256}` },
        defaultName: "k-aaaaaaaaaaaa",
      },
    ],
    [
      "artifact:oci:/layouts/k:6.1",
      {
        kind: "source",
        source: { kind: "artifact", reference: "oci:/layouts/k:6.1" },
        defaultName: "k-6.1",
      },
    ],
  ];
  for (const [text, expected] of table) assert.deepEqual(parseKernelRef(text), expected, text);
});

test("what is none of them is refused, with the field at fault", () => {
  const table: readonly (readonly [string, "NAME_INVALID" | "REFERENCE_INVALID", RegExp])[] = [
    ["", "NAME_INVALID", /no kernel's name/],
    ["Debian", "NAME_INVALID", /no kernel's name/],
    ["../x", "NAME_INVALID", /no kernel's name/],
    ["a".repeat(64), "NAME_INVALID", /no kernel's name/],
    ["deb:", "REFERENCE_INVALID", /absolute path/],
    ["deb:k.deb", "REFERENCE_INVALID", /absolute path/],
    ["deb:https://h/k.deb", "REFERENCE_INVALID", /without its digest/],
    [`deb:https://h/k.deb@sha256:${sha256.toUpperCase()}`, "REFERENCE_INVALID", /malformed digest/],
    [`deb:/k.deb@sha256:123`, "REFERENCE_INVALID", /malformed digest/],
    [`deb:https://user:pw@h/k.deb@sha256:${sha256}`, "REFERENCE_INVALID", /credentials/],
    ["https://h/vmlinux", "REFERENCE_INVALID", /without its digest/],
    [`https://h:99999/vmlinux@sha256:${sha256}`, "REFERENCE_INVALID", /malformed URL/],
    [`https:///x@sha256:${sha256}`, "REFERENCE_INVALID", /malformed URL/],
    ["artifact:", "REFERENCE_INVALID", /no artifact/],
    ["artifact:h.io/UPPER", "REFERENCE_INVALID", /no artifact/],
    ["artifact:docker-archive:/x.tar", "REFERENCE_INVALID", /docker save/],
    ["deb:/a\0b", "REFERENCE_INVALID", /NUL/],
    [`deb:/${"a".repeat(5000)}`, "REFERENCE_INVALID", /longer/],
  ];
  for (const [text, reason, message] of table) {
    assert.throws(
      () => parseKernelRef(text),
      (error: unknown) => {
        assert.ok(hasReason(error, reason), `${text}: ${String(error)}`);
        assert.match(error.message, message, text);
        assert.equal(error.fields[0]?.field, "kernel_ref");
        return true;
      },
      text,
    );
  }
});

test("a URL without its digest: the hint says how to give it", () => {
  assert.throws(
    () => parseKernelRef("deb:https://h/k.deb"),
    (error: unknown) =>
      hasReason(error, "REFERENCE_INVALID") && error.hint.includes("deb:https://h/k.deb@sha256:"),
  );
});

test("any text parses to something whole, or fails as it should", () => {
  fc.assert(
    fc.property(
      fc.tuple(
        fc.constantFrom("", "deb:", "deb:/", "deb:https://h/", "https://h/", "artifact:", "artifact:oci:/"),
        fc.string({ unit: "binary" }),
        fc.constantFrom("", `@sha256:${sha256}`, "@sha256:0", ".deb"),
      ),
      (parts) => {
        try {
          const ref = parseKernelRef(parts.join(""));
          if (ref.kind === "name") return;
          assert.match(ref.defaultName, /^[a-z0-9][a-z0-9._-]{0,62}$/);
          assert.ok(formatKernelSource(ref.source).length > 0);
        } catch (error) {
          assert.ok(hasReason(error, "NAME_INVALID", "REFERENCE_INVALID"), String(error));
        }
      },
    ),
  );
});

test("relative paths become absolute, and nothing else changes", () => {
  const table: readonly (readonly [string, string])[] = [
    ["deb:k.deb", "deb:/here/k.deb"],
    ["deb:../k.deb", "deb:/k.deb"],
    ["deb:/k.deb", "deb:/k.deb"],
    ["deb:", "deb:"],
    ["deb:https://h/k.deb", "deb:https://h/k.deb"],
    ["artifact:oci:k:1", "artifact:oci:/here/k:1"],
    ["artifact:ghcr.io/o/k:1", "artifact:ghcr.io/o/k:1"],
    ["name", "name"],
  ];
  for (const [given, expected] of table) assert.equal(absoluteKernelRef(given, "/here"), expected);
});

test("a source is shown without its URL's query", () => {
  const files = { kernel: "x" };
  assert.equal(formatKernelSource({ kind: "artifact", reference: "h/k:1", files }), "artifact:h/k:1");
  assert.equal(
    formatKernelSource({ kind: "url", url: "https://h/k?sig=secret", sha256 }),
    `https://h/k?…@sha256:${sha256}`,
  );
  assert.equal(formatKernelSource({ kind: "deb", location: "/k.deb", sha256: undefined }), "deb:/k.deb");
});
