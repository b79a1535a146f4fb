import { BangerError } from "../base/error.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { BlobStream } from "../oci/image-source.ts";
import type { HttpResponse } from "./response.ts";

const op = "fetch layer";

/** Content that came inside the manifest. */
export function embeddedBlob(data: Uint8Array, offset: number): BlobStream {
  async function* body(): AsyncGenerator<Uint8Array, void, undefined> {
    // A copy, as the manifest keeps its own.
    yield new Uint8Array(data.subarray(offset));
  }
  return { offset, body: body(), from: "manifest" };
}

/**
 * The stream of a 200 or 206 answer. What the headers say about offset and length is checked against the
 * descriptor first, so that a wrong blob ends before it is downloaded; the bytes are verified by who reads them.
 *
 * @throws BangerError SIZE_MISMATCH, REGISTRY_PROTOCOL
 */
export function blobStream(response: HttpResponse, { digest, size }: Descriptor, wanted: number): BlobStream {
  const range = response.status === 206 ? parseContentRange(response.header("content-range")) : undefined;
  const offset = response.status === 206 ? (range?.start ?? wanted) : 0;
  const length = Number(response.header("content-length") ?? Number.NaN);
  const total = range?.total ?? (Number.isNaN(length) ? size : offset + length);
  const from = response.url.host;
  if (total !== size) {
    const coding = response.header("content-encoding") ?? "identity";
    response.discard();
    if (coding !== "identity") {
      const message = `${from} sent blob ${digest} with a content coding that was not asked for`;
      throw new BangerError("REGISTRY_PROTOCOL", message, { op });
    }
    throw new BangerError("SIZE_MISMATCH", `blob ${digest} has ${total} bytes at ${from}, not ${size}`, {
      op,
      facts: { digest },
    });
  }
  return { offset, body: response.body(), from };
}

interface ContentRange {
  readonly start: number;
  /** Undefined where the server doesn't know. */
  readonly total: number | undefined;
}

/** RFC 9110, 14.4. */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const match = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/.exec(header?.trim() ?? "");
  if (match === null) return undefined;
  return { start: Number(match[1]), total: match[2] === "*" ? undefined : Number(match[2]) };
}
