import { hints } from "./hints.ts";
import type { Reason } from "./reasons.ts";

export { isReason, reasons, type Reason } from "./reasons.ts";

/** One field of a request, and what is wrong with it. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

export interface ErrorDetails {
  /** What was being done, as `fetch layer` or `open store`. */
  readonly op: string;
  /** What to do about it, one imperative sentence, where `hints` has none that fits as well. */
  readonly hint?: string;
  readonly cause?: unknown;
  readonly fields?: readonly FieldViolation[];
  /** How long to wait before trying again, in milliseconds. */
  readonly retryAfterMs?: number;
  /** Machine-readable particulars, as `{ layer, entry, rule }` or `{ httpStatus }`. Never a secret. */
  readonly facts?: Readonly<Record<string, string>>;
}

/**
 * The only error that crosses a module's border. The message says what happened, and to what; `hint` says what
 * to do. Decisions are made on `reason`, never on the text.
 */
export class BangerError extends Error {
  override readonly name = "BangerError";
  readonly reason: Reason;
  readonly op: string;
  readonly hint: string;
  readonly fields: readonly FieldViolation[];
  readonly retryAfterMs: number | undefined;
  readonly facts: Readonly<Record<string, string>>;

  constructor(reason: Reason, message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.reason = reason;
    this.op = details.op;
    this.hint = details.hint ?? hints[reason];
    this.fields = details.fields ?? [];
    this.retryAfterMs = details.retryAfterMs;
    this.facts = details.facts ?? {};
  }
}

export function hasReason(error: unknown, ...wanted: readonly Reason[]): error is BangerError {
  return error instanceof BangerError && wanted.includes(error.reason);
}

/** The errors that one stands for, as for each mistake in a file; itself where it stands for none. */
export function eachOf(error: BangerError): readonly BangerError[] {
  const { cause } = error;
  const each: readonly unknown[] = cause instanceof AggregateError ? cause.errors : [];
  const known = each.filter((one) => one instanceof BangerError);
  return known.length === 0 ? [error] : known;
}

/** The `code` of a Node system error (`ENOENT`), or undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What whoever called knows better than whoever raised the error; the rest stays, and facts are added. */
export type Retelling = Partial<Pick<ErrorDetails, "hint" | "facts" | "fields" | "cause">> & {
  readonly message?: string;
};

/** The same error in other words. */
export function retold(error: BangerError, { message = error.message, ...changes }: Retelling): BangerError {
  const { reason, op, hint, fields, retryAfterMs } = error;
  return new BangerError(reason, message, {
    op,
    hint,
    fields,
    cause: error,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...changes,
    facts: { ...error.facts, ...changes.facts },
  });
}

/** What went wrong first; that giving back what was held failed too, as it does on a full disk, is in the cause. */
function firstOf(error: SuppressedError, op: string): BangerError {
  return retold(asBangerError(error.suppressed, op), { cause: error });
}

/**
 * Makes any thrown value a BangerError: one stays as it is, an abort becomes CANCELLED, a system error becomes
 * the reason that a person can act on, and the rest is INTERNAL.
 */
export function asBangerError(error: unknown, op: string): BangerError {
  if (error instanceof BangerError) return error;
  if (error instanceof SuppressedError) return firstOf(error, op);
  const cause = error;
  if (error instanceof Error && error.name === "AbortError") {
    return error.cause instanceof BangerError
      ? error.cause
      : new BangerError("CANCELLED", `${op} was cancelled`, { op, cause });
  }
  switch (errnoOf(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return new BangerError("DISK_FULL", `${op}: no space left (${messageOf(error)})`, {
        op,
        cause,
      });
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new BangerError("PERMISSION_DENIED", `${op}: not permitted (${messageOf(error)})`, {
        op,
        cause,
        hint: "Check the owner and mode of the path named, or choose another folder.",
      });
    case "ENOENT":
    case "ENOTDIR":
    case "EEXIST":
    case "EISDIR":
    case "ELOOP":
    case "ENAMETOOLONG":
    case "EIO":
      return new BangerError("FILESYSTEM_ERROR", `${op}: ${messageOf(error)}`, { op, cause });
    default:
      return new BangerError("INTERNAL", `${op}: ${messageOf(error)}`, { op, cause });
  }
}
