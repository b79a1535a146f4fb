import { create, fromBinary, toBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import {
  anyIs,
  anyPack,
  anyUnpack,
  durationFromMs,
  durationMs,
  type Any,
  type Duration,
} from "@bufbuild/protobuf/wkt";
import { Metadata, status as Code, type ServiceError } from "@grpc/grpc-js";
import { BangerError, asBangerError, isReason, type ErrorDetails, type Reason } from "../base/error.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
  type BadRequest,
  type ErrorInfo,
} from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema, type Status } from "../../gen/google/rpc/status_pb.ts";

/** Of every ErrorInfo: whose reasons they are. */
export const errorDomain = "image.banger";

/** Where gRPC carries a `google.rpc.Status`, by convention of all its implementations. */
const detailsKey = "grpc-status-details-bin";

/**
 * Characters of the texts and the number of things that an error carries: in all below 8 KiB once in base64.
 * Trailers are HTTP/2 headers, and some clients drop the connection where these exceed that.
 */
const maxMessage = 1024;
const maxHint = 512;
const maxName = 64;
const maxFact = 160;
const maxFacts = 8;
const maxFields = 6;

/** A failure as grpc-js takes it, for `callback` and for `call.emit("error", …)`. */
export class StatusFailure extends Error {
  override readonly name = "StatusFailure";
  readonly code: Code;
  readonly details: string;
  readonly metadata: Metadata;

  constructor(code: Code, details: string, metadata: Metadata = new Metadata()) {
    super(details);
    this.code = code;
    this.details = details;
    this.metadata = metadata;
  }
}

/** The gRPC code of an error: what a client that knows nothing of banger decides on. */
export function codeOf(error: Pick<BangerError, "reason" | "facts">): Code {
  if (error.reason === "REGISTRY_AUTH") {
    return error.facts["httpStatus"] === "403" ? Code.PERMISSION_DENIED : Code.UNAUTHENTICATED;
  }
  return codes[error.reason];
}

/** One row a reason: the compiler asks for a new one's. */
const codes: Readonly<Record<Reason, Code>> = {
  REFERENCE_INVALID: Code.INVALID_ARGUMENT,
  NAME_INVALID: Code.INVALID_ARGUMENT,
  PLATFORM_INVALID: Code.INVALID_ARGUMENT,
  SIZE_INVALID: Code.INVALID_ARGUMENT,
  SIZE_TOO_SMALL: Code.INVALID_ARGUMENT,
  OPTION_INVALID: Code.INVALID_ARGUMENT,
  CONFIG_INVALID: Code.INVALID_ARGUMENT,
  MANIFEST_UNKNOWN: Code.NOT_FOUND,
  BLOB_UNKNOWN: Code.NOT_FOUND,
  PLATFORM_UNKNOWN: Code.NOT_FOUND,
  IMAGE_UNKNOWN: Code.NOT_FOUND,
  PULL_UNKNOWN: Code.NOT_FOUND,
  KERNEL_UNKNOWN: Code.NOT_FOUND,
  FILE_UNKNOWN: Code.NOT_FOUND,
  LEASE_UNKNOWN: Code.NOT_FOUND,
  SOURCE_UNKNOWN: Code.NOT_FOUND,
  NAME_TAKEN: Code.ALREADY_EXISTS,
  IMAGE_IN_USE: Code.FAILED_PRECONDITION,
  REGISTRY_AUTH: Code.UNAUTHENTICATED,
  REGISTRY_UNAVAILABLE: Code.UNAVAILABLE,
  // Trying again won't help, and no argument of the caller's is wrong.
  REGISTRY_PROTOCOL: Code.FAILED_PRECONDITION,
  RATE_LIMITED: Code.RESOURCE_EXHAUSTED,
  SIGNATURE_REQUIRED: Code.PERMISSION_DENIED,
  SIGNATURE_INVALID: Code.PERMISSION_DENIED,
  MANIFEST_INVALID: Code.INVALID_ARGUMENT,
  MANIFEST_UNSUPPORTED: Code.INVALID_ARGUMENT,
  LAYER_UNSAFE: Code.INVALID_ARGUMENT,
  LAYER_INVALID: Code.INVALID_ARGUMENT,
  LAYER_UNENCODABLE: Code.INVALID_ARGUMENT,
  LOSS_REFUSED: Code.FAILED_PRECONDITION,
  CATALOG_INVALID: Code.FAILED_PRECONDITION,
  CATALOG_UNAVAILABLE: Code.UNAVAILABLE,
  KERNEL_INVALID: Code.INVALID_ARGUMENT,
  KERNEL_MISMATCH: Code.INVALID_ARGUMENT,
  KERNEL_AMBIGUOUS: Code.INVALID_ARGUMENT,
  KERNEL_IN_USE: Code.FAILED_PRECONDITION,
  KERNEL_SOURCE_INVALID: Code.INVALID_ARGUMENT,
  DIGEST_MISMATCH: Code.DATA_LOSS,
  SIZE_MISMATCH: Code.DATA_LOSS,
  DIFFID_MISMATCH: Code.DATA_LOSS,
  VERIFY_FAILED: Code.DATA_LOSS,
  FILESYSTEM_CORRUPT: Code.DATA_LOSS,
  DISK_FULL: Code.RESOURCE_EXHAUSTED,
  LIMIT_DOCUMENT_SIZE: Code.RESOURCE_EXHAUSTED,
  LIMIT_INDEX_ENTRIES: Code.RESOURCE_EXHAUSTED,
  LIMIT_LAYERS: Code.RESOURCE_EXHAUSTED,
  LIMIT_ENTRIES: Code.RESOURCE_EXHAUSTED,
  LIMIT_PATH: Code.RESOURCE_EXHAUSTED,
  LIMIT_PAX: Code.RESOURCE_EXHAUSTED,
  LIMIT_XATTRS: Code.RESOURCE_EXHAUSTED,
  LIMIT_SPARSE_MAP: Code.RESOURCE_EXHAUSTED,
  LIMIT_INFLATED: Code.RESOURCE_EXHAUSTED,
  LIMIT_RATIO: Code.RESOURCE_EXHAUSTED,
  TOO_MANY_PULLS: Code.RESOURCE_EXHAUSTED,
  TOO_MANY_STREAMS: Code.RESOURCE_EXHAUSTED,
  TOO_MANY_LEASES: Code.RESOURCE_EXHAUSTED,
  TIMED_OUT: Code.DEADLINE_EXCEEDED,
  GUEST_ASSETS_MISSING: Code.FAILED_PRECONDITION,
  E2FSPROGS_MISSING: Code.FAILED_PRECONDITION,
  E2FSPROGS_TOO_OLD: Code.FAILED_PRECONDITION,
  E2FSPROGS_FAILED: Code.INTERNAL,
  XZ_MISSING: Code.FAILED_PRECONDITION,
  KMOD_MISSING: Code.FAILED_PRECONDITION,
  FILESYSTEM_ERROR: Code.INTERNAL,
  PERMISSION_DENIED: Code.PERMISSION_DENIED,
  STATE_LOCKED: Code.FAILED_PRECONDITION,
  STATE_UNSAFE: Code.FAILED_PRECONDITION,
  STORE_FAILED: Code.INTERNAL,
  SOCKET_INVALID: Code.FAILED_PRECONDITION,
  DAEMON_UNREACHABLE: Code.UNAVAILABLE,
  SHUTTING_DOWN: Code.UNAVAILABLE,
  CREDENTIALS_GONE: Code.FAILED_PRECONDITION,
  CANCELLED: Code.CANCELLED,
  NOT_IMPLEMENTED: Code.UNIMPLEMENTED,
  INTERNAL: Code.INTERNAL,
};

/**
 * Any thrown value as grpc-js sends it, with a `google.rpc.Status` that `fromServiceError` reads back. What is
 * one already, of a service that is not banger's own, stays as it is.
 */
export function toServiceError(thrown: unknown, op: string): StatusFailure {
  if (thrown instanceof StatusFailure) return thrown;
  const error = asBangerError(thrown, op);
  const code = codeOf(error);
  // A lone surrogate in `details` would throw, uncaught, where grpc-js percent-encodes it.
  const details = clip(error.message, maxMessage);
  const metadata = new Metadata();
  metadata.set(detailsKey, Buffer.from(toBinary(StatusSchema, richStatus(error, code, details))));
  return new StatusFailure(code, details, metadata);
}

function richStatus(error: BangerError, code: Code, message: string): Status {
  const { reason, op, hint, fields, retryAfterMs } = error;
  const facts = Object.entries(error.facts).slice(0, maxFacts);
  const metadata = Object.fromEntries([
    ...facts.map(([name, value]): [string, string] => [clip(name, maxName), clip(value, maxFact)]),
    ["op", clip(op, maxName)],
    ["hint", clip(hint, maxHint)],
  ]);
  const info = create(ErrorInfoSchema, { reason, domain: errorDomain, metadata });
  const details = [anyPack(ErrorInfoSchema, info)];
  if (fields.length > 0) {
    const fieldViolations = fields.slice(0, maxFields).map(({ field, description }) => {
      return { field: clip(field, maxName), description: clip(description, maxFact) };
    });
    details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations })));
  }
  if (retryAfterMs !== undefined) {
    const retryDelay = durationFromMs(Math.round(retryAfterMs));
    details.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay })));
  }
  return create(StatusSchema, { code, message, details });
}

/** Well-formed, and no longer than `max` characters. */
function clip(text: string, max: number): string {
  return (text.length <= max ? text : `${text.slice(0, max - 1)}…`).toWellFormed();
}

/** What a client's call failed with, as the daemon threw it, or as near as the code tells. */
export function fromServiceError(error: ServiceError, op: string): BangerError {
  return richError(error, op) ?? plainError(error, op);
}

function richError(error: ServiceError, op: string): BangerError | undefined {
  const rich = readStatus(error.metadata);
  if (rich?.info?.domain !== errorDomain || !isReason(rich.info.reason)) return undefined;
  const { op: itsOp, hint, ...facts } = rich.info.metadata;
  const violations = rich.request?.fieldViolations ?? [];
  const details: ErrorDetails = {
    op: itsOp ?? op,
    cause: error,
    facts,
    fields: violations.map(({ field, description }) => ({ field, description })),
    ...(hint === undefined ? {} : { hint }),
    ...(rich.delay === undefined ? {} : { retryAfterMs: durationMs(rich.delay) }),
  };
  return new BangerError(rich.info.reason, rich.message, details);
}

interface RichStatus {
  readonly message: string;
  readonly info: ErrorInfo | undefined;
  readonly request: BadRequest | undefined;
  readonly delay: Duration | undefined;
}

/** Undefined where there is none, or one that can't be read: the plain code and text still count. */
function readStatus(metadata: Metadata | undefined): RichStatus | undefined {
  const value = metadata?.get(detailsKey)[0];
  if (!Buffer.isBuffer(value)) return undefined;
  try {
    const { message, details } = fromBinary(StatusSchema, value);
    return {
      message,
      info: firstOf(details, ErrorInfoSchema),
      request: firstOf(details, BadRequestSchema),
      delay: firstOf(details, RetryInfoSchema)?.retryDelay,
    };
  } catch {
    return undefined;
  }
}

function firstOf<S extends DescMessage>(details: readonly Any[], schema: S): MessageShape<S> | undefined {
  const any = details.find((one) => anyIs(one, schema));
  return any === undefined ? undefined : anyUnpack(any, schema);
}

/** Errors of grpc-js itself, or of a program that is no bangerd. */
function plainError(error: ServiceError, op: string): BangerError {
  const details = { op, cause: error };
  if (error.code === Code.UNAVAILABLE) {
    return new BangerError("DAEMON_UNREACHABLE", `the daemon can't be reached: ${error.details}`, {
      ...details,
      hint: "Start it with `bangerd`, or pick another with --socket.",
    });
  }
  if (error.code === Code.UNIMPLEMENTED) {
    return new BangerError("NOT_IMPLEMENTED", `the daemon does not know this call: ${error.details}`, {
      ...details,
      hint: "Bring bangerd to the version of this program.",
    });
  }
  if (error.code === Code.CANCELLED || error.code === Code.DEADLINE_EXCEEDED) {
    return new BangerError("CANCELLED", error.details, details);
  }
  return new BangerError("INTERNAL", `${Code[error.code] ?? error.code}: ${error.details}`, details);
}
