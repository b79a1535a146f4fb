import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { digestOf, isDigest, parseDigest } from "../../src/base/digest.ts";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { parseJson } from "../../src/base/json.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import type { RepositoryDocuments } from "../../src/oci/repository-documents.ts";
import { checkSignature, type VerifiedSignature } from "../../src/signature/check-signature.ts";
import { parsePolicies } from "../../src/signature/policy.ts";

/** What cosign 3.1.3 itself pushed to a docker-registry 2.8: an index signed in each of its ways, with each kind of key that is taken. */
const bytes = await readFile(join(import.meta.dirname, "cosign-3.1.3.json"));
const vectors = parseJson(bytes, { reason: "INTERNAL", op: "read vectors", subject: "vectors" })
  .list()
  .map((node) => ({
    key: node.at("key").text(),
    pem: node.at("pem").text(),
    repository: node.at("repository").text(),
    indexDigest: parseDigest(node.at("indexDigest").text(), "read vectors"),
    manifestDigest: parseDigest(node.at("manifestDigest").text(), "read vectors"),
    manifests: node.at("manifests").textMap(),
    blobs: node.at("blobs").textMap(),
  }));
type Vector = (typeof vectors)[number];

/** The repository as it was pushed, without the manifests whose names match. */
function documentsOf({ manifests, blobs }: Vector, without: RegExp): RepositoryDocuments {
  return {
    manifest: async (name) => {
      const text = manifests[name];
      if (text === undefined || without.test(name) || without.test(text)) return undefined;
      const content = Buffer.from(text);
      assert.ok(!isDigest(name) || digestOf(content) === name);
      return { bytes: content, mediaType: "", digest: digestOf(content) };
    },
    referrers: async () => [],
    withoutMirrors: async () => undefined,
    blob: async ({ digest }) => {
      const content = Buffer.from(blobs[digest] ?? "");
      assert.equal(digestOf(content), digest);
      return content;
    },
  };
}

async function check(
  vector: Vector,
  documents: RepositoryDocuments,
  pem: string,
): Promise<VerifiedSignature | undefined> {
  await using folder = await makeTempDir("banger-vectors-");
  const key = join(folder.path, "cosign.pub");
  await writeFile(key, pem);
  const { repository, indexDigest, manifestDigest } = vector;
  return await checkSignature({
    image: { reference: `${repository}:1`, repository, indexDigest, manifestDigest },
    policies: parsePolicies([{ scope: "*", key }]),
    documents,
    limits: defaultLimits,
    signal: new AbortController().signal,
    onRetry: () => {},
  });
}

/** Leaves one way of each. */
const ways: readonly (readonly [string, RegExp, RegExp])[] = [
  ["the tag scheme", /^sha256-[0-9a-f]{64}$/, /^tag sha256-[0-9a-f]{64}\.sig$/],
  ["a referrer as oci-1-1 writes it", /\.sig$|dsse-envelope/, /^referrer /],
  ["a bundle", /\.sig$|simplesigning/, /^referrer /],
];

for (const vector of vectors) {
  for (const [way, without, place] of ways) {
    test(`what cosign signed with ${vector.key} counts: ${way}`, async () => {
      const verified = await check(vector, documentsOf(vector, without), vector.pem);
      assert.equal(verified?.digest, vector.indexDigest);
      assert.match(verified.place, place);
    });

    test(`it does not count under another key, ${vector.key}: ${way}`, async () => {
      const stranger = vectors.find(({ pem }) => pem !== vector.pem);
      assert.ok(stranger);
      await assert.rejects(check(vector, documentsOf(vector, without), stranger.pem), (error: unknown) =>
        hasReason(error, "SIGNATURE_INVALID"),
      );
    });
  }
}

test("it does not count for another image, nor with a byte changed", async () => {
  const [vector] = vectors;
  assert.ok(vector);
  const other = { ...vector, indexDigest: vector.manifestDigest };
  await assert.rejects(check(other, documentsOf(vector, /^$/), vector.pem), (error: unknown) =>
    hasReason(error, "SIGNATURE_REQUIRED"),
  );
  const honest = documentsOf(vector, /^sha256-[0-9a-f]{64}$/);
  for (const at of [0, 40, 100, 239]) {
    const bent: RepositoryDocuments = {
      ...honest,
      blob: async (descriptor, options) => {
        const content = Buffer.from(await honest.blob(descriptor, options));
        content.writeUInt8(content.readUInt8(at) ^ 1, at);
        return content;
      },
    };
    await assert.rejects(check(vector, bent, vector.pem), (error: unknown) =>
      hasReason(error, "SIGNATURE_INVALID"),
    );
  }
});
