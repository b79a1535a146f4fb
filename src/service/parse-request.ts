import { isAbsolute } from "node:path";
import { Builder } from "../../gen/banger/image/v1/image_pb.ts";
import {
  VerifyDepth,
  type PullOptions,
  type RegistryCredentials,
} from "../../gen/banger/image/v1/pull_pb.ts";
import { BangerError, retold } from "../base/error.ts";
import { sizeBounds } from "../base/size-bounds.ts";
import type { BuilderName } from "../ext4/builder.ts";
import { parseImageName } from "../images/name.ts";
import { parsePlatform, type Platform } from "../oci/platform.ts";
import { isLocalReference, parseSourceReference } from "../oci/source-reference.ts";
import type { PullRequest } from "../pull/request.ts";
import { parseRequestedKernel } from "./parse-kernel.ts";
import { credentialsOf, type Credentials } from "../registry/credentials.ts";

const op = "read request";

/** Characters of a reference; the longest that the grammar allows is about half of this. */
const maxReference = 4096;

/** Characters of a user name and of a password; cloud registries' passwords are tokens of up to 3,000. */
const maxCredential = 16_384;

/** What a pull is without a word about its platform. */
const defaultPlatform: Platform = { os: "linux", architecture: "amd64" };

/**
 * A pull as a client asked for it, with nothing left that could be wrong in itself.
 *
 * @param defaults what the daemon takes where a client says nothing
 * @throws BangerError of the first wrong field, with a violation for each wrong one.
 */
export function parsePullRequest(
  reference: string,
  options: PullOptions | undefined,
  defaults: Pick<PullRequest, "builder"> = { builder: undefined },
): PullRequest {
  const fields = new FieldParser();
  const request: PullRequest = {
    reference: fields.take(reference, parseReference) ?? "",
    name: fields.take(options?.name, (name) => (name === "" ? undefined : parseImageName(name))),
    platform: fields.take(options?.platform || undefined, parsePlatform) ?? defaultPlatform,
    sizeBytes: fields.take(options?.sizeBytes, parseSize),
    builder: fields.take(options?.builder, parseBuilder) ?? defaults.builder,
    verify: fields.take(options?.verify, parseDepth) ?? "metadata",
    noAgents: options?.noAgents ?? false,
    keepIdentity: options?.keepIdentity ?? false,
    strict: options?.strict ?? false,
    detached: options?.detached ?? false,
    kernel: fields.take(options, parseRequestedKernel),
    credentials: fields.take(options?.credentials, (given) => parseCredentials(given, reference)),
  };
  fields.check();
  return request;
}

/** Parses field by field, and tells all that is wrong at once. */
class FieldParser {
  readonly #errors: BangerError[] = [];

  take<T, U>(value: T | undefined, parse: (value: T) => U): U | undefined {
    if (value === undefined) return undefined;
    try {
      return parse(value);
    } catch (error) {
      if (!(error instanceof BangerError)) throw error;
      this.#errors.push(error);
      return undefined;
    }
  }

  check(): void {
    const [first] = this.#errors;
    if (first === undefined) return;
    const { reason, message, hint, facts } = first;
    throw new BangerError(reason, message, {
      op,
      cause: first,
      facts,
      fields: this.#errors.flatMap((error) => error.fields),
      hint,
    });
  }
}

function parseReference(text: string): string {
  if (text.length > maxReference) {
    throw invalid("REFERENCE_INVALID", "reference", `is longer than ${maxReference} characters`);
  }
  try {
    const source = parseSourceReference(text);
    if (source.kind === "registry" || isAbsolute(source.path)) return text;
  } catch (error) {
    if (!(error instanceof BangerError) || error.reason !== "REFERENCE_INVALID") throw error;
    if (error.fields.length > 0) throw error;
    throw retold(error, { fields: [{ field: "reference", description: error.message }] });
  }
  throw invalid(
    "REFERENCE_INVALID",
    "reference",
    "names a folder relative to the daemon's own; give an absolute path",
  );
}

function parseSize(bytes: bigint): number | undefined {
  if (bytes === 0n) return undefined;
  if (bytes < 0n) throw invalid("SIZE_INVALID", "size_bytes", "is negative");
  // Known at once, and not after everything was fetched: no image fits into a single block.
  const { min, max } = sizeBounds;
  if (bytes < min) throw invalid("SIZE_INVALID", "size_bytes", `is less than ${min} bytes`);
  if (bytes > max) throw invalid("SIZE_INVALID", "size_bytes", `is more than ${max} bytes`);
  return Number(bytes);
}

function parseBuilder(builder: Builder): BuilderName | undefined {
  switch (builder) {
    case Builder.UNSPECIFIED:
      return undefined;
    case Builder.E2FSPROGS:
      return "e2fsprogs";
    case Builder.DIRECT:
      return "direct";
    default:
      throw invalid("OPTION_INVALID", "builder", "is no builder that is known here");
  }
}

/** Metadata where the request leaves it to the daemon. @throws BangerError OPTION_INVALID. */
export function parseDepth(depth: VerifyDepth): PullRequest["verify"] {
  switch (depth) {
    case VerifyDepth.UNSPECIFIED:
    case VerifyDepth.METADATA:
      return "metadata";
    case VerifyDepth.FULL:
      return "full";
    default:
      throw invalid("OPTION_INVALID", "verify", "is no depth that is known here");
  }
}

/** Nothing of them is quoted. A colon can't be in a name that Basic authentication carries (RFC 7617, 2). */
function parseCredentials(
  { username, password }: RegistryCredentials,
  reference: string,
): Credentials | undefined {
  const refuse = (problem: string): BangerError => invalid("OPTION_INVALID", "options.credentials", problem);
  if (username === "") throw refuse("has no user name");
  if (username.length > maxCredential || password.length > maxCredential) {
    throw refuse(`is longer than ${maxCredential} characters`);
  }
  // oxlint-disable-next-line no-control-regex -- control characters are what it is for
  if (/[\u0000-\u001f\u007f]/.test(username + password) || username.includes(":")) {
    throw refuse("has a control character, or a colon in the user name");
  }
  if (isLocalReference(reference)) {
    throw refuse("goes with a registry's image, not with a folder or an archive");
  }
  return credentialsOf(username, password);
}

function invalid(
  reason: "REFERENCE_INVALID" | "SIZE_INVALID" | "OPTION_INVALID",
  field: string,
  problem: string,
): BangerError {
  return new BangerError(reason, `${field} ${problem}`, {
    op,
    fields: [{ field, description: `It ${problem}.` }],
  });
}

/** How many rows a page has: 100 where nothing is asked, and never more than 1,000 (AIP-158 has it lowered). */
export function parsePageSize(pageSize: number): number {
  if (pageSize < 0) throw invalid("OPTION_INVALID", "page_size", "is negative");
  return pageSize === 0 ? 100 : Math.min(pageSize, 1000);
}

/** For a token that this list can't have given. */
export function badPageToken(): BangerError {
  return new BangerError("OPTION_INVALID", "the page token is not one that a list gave", {
    op,
    hint: "Pass the next_page_token of the page before, or none.",
    fields: [{ field: "page_token", description: "It is not one that a list gave." }],
  });
}
