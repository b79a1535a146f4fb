import { BangerError } from "../base/error.ts";
import { defaultLimits } from "../base/limits.ts";
import { readAtMost } from "../base/read-at-most.ts";
import { systemClock } from "../base/retry.ts";
import { tooLarge } from "../oci/choose.ts";
import type { SourceOptions } from "../oci/image-source.ts";
import { statusError } from "./error-body.ts";
import type { HttpResponse } from "./response.ts";
import { webTransport, type WebOptions } from "./web-transport.ts";

/** What a server knows a version of a document by (RFC 9110, 8.8); neither where it does not tell them apart. */
export interface Validators {
  readonly etag?: string;
  readonly lastModified?: string;
}

export type WebDocument =
  | { readonly kind: "unchanged" }
  | { readonly kind: "changed"; readonly bytes: Buffer; readonly validators: Validators };

const op = "fetch document";
/** Longest validator that is kept; real ones have some tens of characters. */
const longestValidator = 1024;

/**
 * Fetches a small document, unless it is still the version that `known` names.
 *
 * @throws BangerError SOURCE_UNKNOWN, LIMIT_DOCUMENT_SIZE, and those of the transport
 */
export async function fetchWebDocument(
  url: URL,
  known: Validators,
  maxBytes: number,
  options: WebOptions,
  sourceOptions: SourceOptions,
): Promise<WebDocument> {
  const { limits = defaultLimits, clock = systemClock } = options;
  await using transport = webTransport(url, options);
  const asked = { subject: `document ${url.pathname}`, op };
  const { etag, lastModified } = known;
  const headers = {
    ...(etag === undefined ? {} : { "if-none-match": etag }),
    // RFC 9110, 13.1.3: of no account where there is an If-None-Match, and for servers that know only this one.
    ...(lastModified === undefined ? {} : { "if-modified-since": lastModified }),
  };
  const conditional = Object.keys(headers).length > 0;
  return await transport.send({ url, headers, ...asked }, sourceOptions, async (response) => {
    if (response.status === 304 && conditional) {
      response.discard();
      return { kind: "unchanged" };
    }
    if (response.status === 404 || response.status === 410) {
      response.discard();
      throw new BangerError("SOURCE_UNKNOWN", `${url.host} has no document ${url.pathname}`, { op });
    }
    if (response.status !== 200) throw await statusError(response, asked, limits, clock.now());
    const { bytes, cut } = await readAtMost(response.body(), maxBytes);
    if (cut) throw tooLarge(`the ${asked.subject} of ${url.host} is longer than allowed`, maxBytes);
    return { kind: "changed", bytes, validators: validatorsOf(response) };
  });
}

function validatorsOf(response: HttpResponse): Validators {
  const etag = headerValue(response.header("etag"));
  const lastModified = headerValue(response.header("last-modified"));
  return {
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
  };
}

/** What may be sent back as a header. */
export function headerValue(value: string | undefined): string | undefined {
  if (value === undefined || value.length > longestValidator) return undefined;
  return /^[\x20-\x7e]+$/.test(value) ? value : undefined;
}
