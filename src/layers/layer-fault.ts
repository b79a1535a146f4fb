import { printable, type ByteString } from "../base/bytes.ts";
import type { Digest } from "../base/digest.ts";
import { shortDigest } from "../base/digest.ts";
import { BangerError, type Reason } from "../base/error.ts";

/** Where in a layer something was found. */
export interface Place {
  readonly layer: Digest;
  /** From 1; undefined while no entry has been met, as in a blob that does not inflate. */
  readonly entry: number | undefined;
  /** Where it is known already. */
  readonly name: ByteString | undefined;
}

type LayerReason = Extract<Reason, `LAYER_${string}` | `LIMIT_${string}` | "DIFFID_MISMATCH">;

/** Longest name that a message shows; the facts have it whole, up to the limit on paths. */
const shownNameBytes = 200;

/** What to do about a layer that is wrong; a limit has its reason's own hint. */
const layerHint = "Rebuild the image, or report it to whoever publishes it; nothing was written.";

/**
 * The refusal of a layer.
 *
 * @param rule the rule that it breaks, a short stable word for machines, as `header-checksum`
 * @param what what was found, a clause in which the entry's name need not occur
 */
export function layerFault(
  reason: LayerReason,
  rule: string,
  what: string,
  place: Place,
  cause?: unknown,
): BangerError {
  const { layer, entry, name } = place;
  const facts: Record<string, string> = { layer, rule };
  let where = `layer ${shortDigest(layer)}`;
  if (entry !== undefined) {
    facts["entry"] = String(entry);
    where += `, entry ${entry}`;
  }
  if (name !== undefined) {
    const shown = printable(name);
    facts["name"] = shown;
    where += ` (${shown.length > shownNameBytes ? `${shown.slice(0, shownNameBytes)}…` : shown})`;
  }
  const details = { op: "scan layer", facts, cause };
  const known = reason.startsWith("LIMIT_") ? details : { ...details, hint: layerHint };
  return new BangerError(reason, `${where}: ${what}`, known);
}
