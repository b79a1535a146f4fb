import { printable, type ByteString } from "../../base/bytes.ts";
import { isDigest, shortDigest } from "../../base/digest.ts";
import { BangerError, type Reason } from "../../base/error.ts";

const op = "unpack kernel";
/** Longest name that a message shows. */
const longestName = 200;
/** As many names as an error lists of what there is. */
const mostListed = 20;

/**
 * The refusal of a kernel's archive or artifact.
 *
 * @param subject the archive, as a person would write it
 * @param problem what is wrong, a clause that follows the subject
 */
export function sourceFault(subject: string, problem: string, hint?: string, cause?: unknown): BangerError {
  return new BangerError("KERNEL_SOURCE_INVALID", `${subject} ${problem}`, {
    op,
    cause,
    facts: { source: subject },
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The same where one of its entries is at fault. */
export function entryFault(subject: string, name: ByteString, problem: string): BangerError {
  return sourceFault(subject, `has an entry, ${shownName(name)}, that ${problem}`);
}

export function shownName(name: ByteString): string {
  const text = printable(name);
  return text.length > longestName ? `${text.slice(0, longestName)}…` : text;
}

/** Names of what there is, for an error that says what there is not. */
export function listed(names: readonly string[]): string {
  if (names.length === 0) return "nothing at all";
  const more = names.length > mostListed ? ` and ${names.length - mostListed} more` : "";
  return names.slice(0, mostListed).join(", ") + more;
}

const layerReasons: ReadonlySet<Reason> = new Set(["LAYER_INVALID", "LAYER_UNSAFE"]);

/**
 * What the readers of layers say of an archive, said of a kernel's: they know it by its digest alone. Other errors
 * stay as they are.
 */
export function asSourceFault(error: unknown, subject: string): unknown {
  if (!(error instanceof BangerError) || error.facts["layer"] === undefined) return error;
  const { reason, message, facts } = error;
  const { layer = "" } = facts;
  const start = isDigest(layer) ? `layer ${shortDigest(layer)}` : "";
  const rest = message.startsWith(start) ? message.slice(start.length) : `: ${message}`;
  const { layer: _layer, ...others } = facts;
  const details = { op, cause: error, facts: { source: subject, ...others } };
  if (layerReasons.has(reason)) return new BangerError("KERNEL_SOURCE_INVALID", subject + rest, details);
  return new BangerError(reason, subject + rest, details);
}
