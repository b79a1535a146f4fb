import { gzipSync } from "node:zlib";
import { digestOf } from "../../../src/base/digest.ts";
import { ociIndex, ociManifest } from "../../../src/oci/media-types.ts";
import { stored, type Stored } from "../../fakes/registry/images.ts";
import { dir, file, symlink, tar } from "../tar-builder.ts";
import { by, damaged, image, keeps, refuses, type Case, type ImageParts, type Rule } from "./rule.ts";

const time = { mtime: 1_000_000_000 };
const archives = [tar(file("a", "x".repeat(3000), time))];
const fine = image("", { losses: [] }, { archives });
const [config, layer] = fine.image.blobs;

const keep = (what: string, parts: Partial<ImageParts>): Case =>
  image(what, { losses: [] }, { archives, ...parts });
const refuse = (what: string, refused: string, parts: Partial<ImageParts>): Case =>
  image(what, { refused }, { archives, ...parts });

/** gzip's CRC is the first half of its last eight bytes (RFC 1952 section 2.3.1). */
const wrongCrc = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(copy.length - 8) ^ 1, copy.length - 8);
  return copy;
};
const damage = (
  what: string,
  refused: string,
  which: "manifest" | "config" | "layer",
  change: (bytes: Buffer) => Buffer,
): Case => damaged({ ...fine, what, banger: { refused } }, which, change);

/** The manifest's text, changed. */
function rewritten(
  what: string,
  refused: string,
  change: (text: string) => string,
  mediaType = ociManifest,
): Case {
  return refuse(what, refused, {
    root: stored(mediaType, Buffer.from(change(fine.image.root.bytes.toString()))),
  });
}

const merged = (extra: object): ((text: string) => string) => {
  return (text) => {
    const document: unknown = JSON.parse(text);
    return JSON.stringify({ ...(typeof document === "object" ? document : {}), ...extra });
  };
};

/** A layer under the other registered algorithm. */
function sha512(): Case {
  const blob = gzipSync(archives[0] ?? Buffer.alloc(0), { level: 1 });
  const described: Stored = { mediaType: "", bytes: blob, digest: digestOf(blob, "sha512") };
  const made = keep("sha512", { blobs: [blob], descriptor: { digest: described.digest } });
  return { ...made, image: { ...made.image, blobs: [...made.image.blobs, described] } };
}

const schema1 = stored(ociManifest, {
  schemaVersion: 1,
  name: "a/b",
  tag: "1",
  architecture: "amd64",
  fsLayers: [],
  history: [],
});
const diffId = digestOf(archives[0] ?? Buffer.alloc(0));
const rootfs = (ids: readonly string[]): object => ({ rootfs: { type: "layers", diff_ids: ids } });
const data = (bytes: Buffer): object => ({ data: bytes.toString("base64") });

export const documents: readonly Rule[] = [
  {
    text: "Digest and size of manifest, config and every layer are checked over the very bytes that are used.",
    heldBy: [
      ...by("registry/local-layout", "a damaged layout is found out"),
      ...by("registry/faults", "R23 a blob with another content of the same length is refused"),
      ...by("registry/faults", "R33 a blob that is longer than its descriptor says is stopped"),
      ...by("registry/documents", "R24 pulled by digest, another manifest is refused, valid as it may be"),
    ],
    cases: [
      damage("the manifest", "DIGEST_MISMATCH", "manifest", (bytes) =>
        Buffer.from(bytes.toString().replace("{", " {").slice(0, -1)),
      ),
      damage("the config", "DIGEST_MISMATCH", "config", (bytes) =>
        Buffer.from(bytes.toString().replace("linux", "Linux")),
      ),
      damage("a layer", "DIGEST_MISMATCH", "layer", wrongCrc),
      damage("a longer layer", "SIZE_MISMATCH", "layer", (bytes) => Buffer.concat([bytes, Buffer.alloc(9)])),
      refuse("a layer's size", "SIZE_MISMATCH", { descriptor: { size: (layer?.bytes.length ?? 0) + 1 } }),
      refuse("the config's size", "SIZE_MISMATCH", {
        configDescriptor: { size: (config?.bytes.length ?? 0) - 1 },
      }),
    ],
  },
  {
    text: "sha256 and sha512 are read; anything else in a digest's place is refused before it becomes a path.",
    heldBy: [
      ...by("base/digest", "sha256 and sha512 are digests, and nothing else is"),
      ...by("oci/documents", "descriptors that can't be are refused"),
    ],
    cases: [
      sha512(),
      refuse("a path", "MANIFEST_INVALID", { descriptor: { digest: "sha256:../../../oci-layout" } }),
      refuse("md5", "MANIFEST_INVALID", { descriptor: { digest: `md5:${"a".repeat(32)}` } }),
    ],
  },
  {
    text: "There are as many diffIDs as layers, and each is verified.",
    heldBy: [
      ...by("oci/documents", "a config that doesn't fit its manifest is refused"),
      ...by(
        "scan",
        "an index of the same blob with another diffID is not used, and the diffID is verified again",
      ),
      ...by("e2e/errors", "a layer that is not what the config's diffID says"),
    ],
    cases: [
      refuse("one more", "MANIFEST_INVALID", { config: rootfs([diffId, diffId]) }),
      refuse("one less", "MANIFEST_INVALID", { config: rootfs([]) }),
      refuse("another", "diff-id", { config: rootfs([digestOf(Buffer.from("another"))]) }),
    ],
  },
  {
    text: "Refused: JSON with a key that comes twice or something after its end, a document that is manifest and index at once, a media type that contradicts the content.",
    heldBy: [
      ...by("base/json", "a key that comes twice is refused, however it is written"),
      ...by("base/json", "what is not one JSON document in UTF-8 is refused"),
      ...by("oci/documents", "documents that could be taken for something else are refused"),
      ...by("registry/documents", "R31 a Content-Type that contradicts the document is refused"),
    ],
    cases: [
      rewritten("a key twice", "MANIFEST_INVALID", (text) => text.replace("{", '{"schemaVersion":2,')),
      rewritten("something after it", "MANIFEST_INVALID", (text) => `${text}{}`),
      rewritten("manifest and index", "MANIFEST_INVALID", merged({ manifests: [] })),
      rewritten("says to be an index", "MANIFEST_INVALID", merged({ mediaType: ociIndex })),
      rewritten("said to be an index", "MANIFEST_INVALID", (text) => text, ociIndex),
    ],
  },
  {
    text: "Keys that are not known are ignored.",
    heldBy: by("oci/documents", "a manifest, announced rightly, loosely or not at all"),
    cases: [keep("", { manifest: { unknown: [1] }, config: { unknown: {} }, descriptor: { unknown: null } })],
  },
  {
    text: "`data` in a descriptor is used only where it hashes.",
    heldBy: [
      ...by("oci/documents", "data is kept where it hashes, and left out where not"),
      ...by(
        "registry/documents",
        "a layer embedded in the manifest is not asked for, and one that is a lie is",
      ),
    ],
    cases: [
      keep("a lie, the blob there", { descriptor: data(Buffer.from("a lie")) }),
      {
        ...withoutLayer(
          keep("honest, the blob missing", { descriptor: data(layer?.bytes ?? Buffer.alloc(0)) }),
        ),
      },
    ],
  },
  {
    text: "Schema 1, encrypted layers, artifacts, charts and Windows are refused as what they are.",
    heldBy: [
      ...by("registry/documents", "R29 schema 1 is refused as such"),
      ...by("oci/documents", "manifests of what is no image are refused with what it is"),
      ...by("oci/documents", "a config that doesn't fit its manifest is refused"),
    ],
    cases: [
      refuse("schema 1", "MANIFEST_UNSUPPORTED", { root: schema1 }),
      refuse("encrypted", "MANIFEST_UNSUPPORTED", {
        mediaType: "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
      }),
      refuse("a chart", "MANIFEST_UNSUPPORTED", {
        configDescriptor: { mediaType: "application/vnd.cncf.helm.config.v1+json" },
      }),
      refuse("an artifact", "MANIFEST_UNSUPPORTED", {
        mediaType: "application/octet-stream",
        configDescriptor: { mediaType: "application/vnd.oci.empty.v1+json" },
      }),
      refuse("Windows", "MANIFEST_UNSUPPORTED", { config: { os: "windows" } }),
    ],
  },
  {
    text: "Non-distributable layers are used where they are present; `urls` are never contacted.",
    heldBy: by("registry/documents", "R39 the urls of a foreign layer are not contacted"),
    cases: [
      keep("present", {
        mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        descriptor: { urls: ["http://127.0.0.1:9/layer"] },
      }),
      withoutLayer(
        refuse("missing", "BLOB_UNKNOWN", {
          mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
          descriptor: { urls: ["http://127.0.0.1:9/layer"] },
        }),
      ),
    ],
  },
  {
    text: "The image's own `/lost+found` is content like any other; mkfs's merges with it.",
    heldBy: [
      ...by("flatten-paths", "the image's own /lost+found is content like any other"),
      ...by("ext4/verify", "mke2fs's own lost+found is accepted while it is empty and root's"),
      ...by(
        "ext4/builders",
        "e2fsprogs: what is awkward reads back as it should",
        "direct: what is awkward reads back as it should",
      ),
    ],
    cases: [
      keeps([
        tar(
          dir("lost+found", { ...time, mode: 0o750, uid: 9 }),
          file("lost+found/x", "", time),
          dir("lost+found", { ...time, mode: 0o750, uid: 9 }),
        ),
      ]),
    ],
  },
  {
    text: "What is at `/lost+found` in the end is a directory, as e2fsck would put one in its place: anything else is refused.",
    heldBy: [
      ...by("flatten-paths", "/lost+found can be nothing but a directory in the end"),
      ...by(
        "ext4/direct/image",
        "a lost+found of the image's own is kept, and no other kind of thing is built there",
      ),
      ...by(
        "ext4/e2fsprogs-faults",
        "a lost+found that is no directory, which flattening refuses, is not built either",
      ),
    ],
    cases: [
      refuses("lost-and-found-not-directory", [tar(file("lost+found", "", time))], { what: "a file" }),
      refuses("lost-and-found-not-directory", [tar(symlink("lost+found", "tmp", time))], {
        what: "a symlink",
      }),
      keeps([tar(file("lost+found", "", time)), tar(dir("lost+found", time))], { what: "replaced later" }),
    ],
  },
];

/** The same image with no layer stored. */
function withoutLayer(from: Case): Case {
  return { ...from, image: { ...from.image, blobs: from.image.blobs.slice(0, 1) } };
}
