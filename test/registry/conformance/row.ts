import type { Reason } from "../../../src/base/error.ts";
import type { Credentials } from "../../../src/registry/credentials.ts";
import { buildImage, noise } from "../../fakes/registry/images.ts";
import type { AuthRules, Fault, FaultMatch } from "../../fakes/registry/registry.ts";

/** One line of the table: what it is called, what the server does, and what the client must do. */
export type Row = readonly [name: string, server: Script, client: Expected];

/** In headers, `{host}` is the registry, `{other}` another origin that has the layer at /layer. */
export interface Script {
  readonly auth?: AuthRules;
  readonly faults?: readonly (readonly [FaultMatch, Fault])[];
  /** What the user has for the registry. */
  readonly credentials?: Credentials;
}

export interface Expected {
  /** The reason that the pull fails with; it succeeds, with the right bytes, where undefined. */
  readonly fails?: Reason;
  readonly says?: RegExp;
  /** Requests for the layer, at the registry. */
  readonly layerRequests?: number;
  /** Where the requests for the layer start; `?` is anywhere but at the front. */
  readonly starts?: readonly (0 | "?")[];
  readonly tokenRequests?: number;
  /** All requests at the registry. */
  readonly requests?: number;
  /** Requests at the other origin. None of them, in any row, has an Authorization header. */
  readonly otherRequests?: number;
  /** Milliseconds of its pauses, where the server says how long; otherwise they are left to chance. */
  readonly waits?: readonly number[];
}

export const layerBytes = noise(1_000_000);
const mediaType = "application/vnd.oci.image.layer.v1.tar";
export const image = buildImage({ layers: [{ content: layerBytes, mediaType }] });
/** Matches the requests for the layer. */
export const layer: RegExp = new RegExp(image.blobs[1]?.digest ?? "-");

export const user = { name: "me", password: "hunter2:öre" };
export const credentials: Credentials = { kind: "basic", username: user.name, password: user.password };

/** The layer with some bytes changed. */
export function wrong(bytes = layerBytes): Buffer {
  return Buffer.from(bytes).fill(7, 700_000, 700_010);
}
