import type { ByteString } from "../../base/bytes.ts";
import type { Digest } from "../../base/digest.ts";
import type { BangerError } from "../../base/error.ts";
import type { Limits } from "../../base/limits.ts";
import { layerFault } from "../layer-fault.ts";

export type TarLimits = Pick<
  Limits,
  "entries" | "pathBytes" | "paxBytes" | "xattrs" | "xattrBytes" | "layerXattrBytes" | "sparseSegments"
>;

/** What every part of the reader needs in order to refuse: which entry it is at, and the bounds. */
export class TarContext {
  readonly limits: TarLimits;
  readonly #layer: Digest;
  /** Of the entry being read, from 1; extension headers before it count as part of it. */
  entry = 1;
  name: ByteString | undefined;
  /** Of all entries so far: what an index in memory takes is bounded by them. */
  xattrBytes = 0;
  sparseSegments = 0;

  constructor(layer: Digest, limits: TarLimits) {
    this.#layer = layer;
    this.limits = limits;
  }

  /** Malformed: no two readers need agree on what it means. */
  invalid(rule: string, what: string): BangerError {
    return this.#fault("LAYER_INVALID", rule, what);
  }

  /** Well-formed, and still nothing that may be put on a disk. */
  unsafe(rule: string, what: string): BangerError {
    return this.#fault("LAYER_UNSAFE", rule, what);
  }

  limit(
    reason: "LIMIT_PAX" | "LIMIT_PATH" | "LIMIT_ENTRIES" | "LIMIT_XATTRS" | "LIMIT_SPARSE_MAP",
    what: string,
  ) {
    return this.#fault(reason, reason.toLowerCase().replaceAll("_", "-"), what);
  }

  #fault(reason: Parameters<typeof layerFault>[0], rule: string, what: string): BangerError {
    return layerFault(reason, rule, what, { layer: this.#layer, entry: this.entry, name: this.name });
  }
}
