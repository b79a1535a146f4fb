import { algorithmOf, hexOf } from "../base/digest.ts";
import { parseJson, type JsonNode } from "../base/json.ts";
import { differs, quote, type Claim } from "./simple-signing.ts";

export const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";

/** What `cosign sign` says of an image; other statements (an SBOM, a scan) are no consent to run it. */
export const signPredicate = "https://sigstore.dev/cosign/sign/v1";

const statementTypes: ReadonlySet<string> = new Set([
  "https://in-toto.io/Statement/v1",
  "https://in-toto.io/Statement/v0.1",
]);
const inTotoType = "application/vnd.in-toto+json";

/** A signature, and the very bytes that it is over. */
export interface Signed {
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
  /** What it says. Nothing of it may be believed before the signature is verified. */
  readonly statement: Uint8Array;
}

/**
 * Opens a Sigstore bundle that holds a DSSE envelope, as `cosign sign` writes it by default since version 3. The
 * transparency log's entries in it are not looked at: the key is what is trusted.
 *
 * @throws BangerError SIGNATURE_INVALID
 */
export function openBundle(bytes: Uint8Array): Signed {
  const root = parseJson(bytes, {
    reason: "SIGNATURE_INVALID",
    op: "verify signature",
    subject: "its bundle",
  });
  const mediaType = root.at("mediaType").text();
  if (mediaType !== bundleType) throw differs(`its bundle is of the type ${quote(mediaType)}`);
  const material = root.at("verificationMaterial");
  if (material.at("certificate").present || material.at("x509CertificateChain").present) {
    throw differs("it was made with a certificate and not with a key");
  }
  const envelope = root.at("dsseEnvelope");
  if (!envelope.present) throw differs("its bundle has no DSSE envelope");
  const payloadType = envelope.at("payloadType").text();
  if (payloadType !== inTotoType) throw differs(`its envelope holds ${quote(payloadType)}`);
  const signatures = envelope.at("signatures").list();
  const [only] = signatures;
  // sigstore's bundle format: "Only one signature is allowed".
  if (only === undefined || signatures.length > 1)
    throw differs(`its envelope has ${signatures.length} signatures`);
  const statement = base64(envelope.at("payload"));
  return { bytes: preAuthEncoding(payloadType, statement), signature: base64(only.at("sig")), statement };
}

/** DSSE protocol.md, "PAE": what is signed is the type and the payload, with their lengths. */
export function preAuthEncoding(type: string, payload: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `),
    payload,
  ]);
}

/**
 * Holds an in-toto statement against what it must say: that cosign signed this digest. It names no repository, nor
 * does cosign's own verification ask for one.
 *
 * @throws BangerError SIGNATURE_INVALID that says what differs
 */
export function checkStatement(statement: Uint8Array, { digest }: Claim): void {
  const subject = "its statement";
  const root = parseJson(statement, { reason: "SIGNATURE_INVALID", op: "verify signature", subject });
  const type = root.at("_type").text();
  if (!statementTypes.has(type)) throw differs(`its statement is of the type ${quote(type)}`);
  const predicate = root.at("predicateType").text();
  if (predicate !== signPredicate)
    throw differs(`its statement is ${quote(predicate)}, which is no signature`);
  const subjects = root.at("subject").list();
  const digests = subjects.map((one) => one.at("digest").at(algorithmOf(digest)).optionalText());
  if (!digests.includes(hexOf(digest))) throw differs(`its statement is about ${quote(digests.join(", "))}`);
}

function base64(node: JsonNode): Buffer {
  const text = node.text();
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) node.fail("is not base64");
  return Buffer.from(text, "base64");
}
