import type { Digest } from "../../src/base/digest.ts";
import { digestOf } from "../../src/base/digest.ts";
import type { ScannedBlob } from "../../src/layers/root-tree.ts";
import { compress } from "../layers/layer-blob.ts";

/** One layer as somebody with bad intentions publishes it: the blob's bytes, and what the config says of it. */
export interface HostileLayer {
  readonly blob: Buffer;
  readonly diffId: Digest;
}

/**
 * What must become of a case: `accepted`, refused by that rule, or one of the two, whichever (mutations, of which
 * nobody has an opinion beforehand).
 */
export type Expectation = "accepted" | "either" | { readonly rule: string };

export interface HostileCase {
  readonly name: string;
  /** Oldest first. */
  readonly layers: readonly HostileLayer[];
  readonly expect: Expectation;
  /** Once accepted: built together with others, in an image of its own, or not at all, as it teaches nothing that its cost is worth. */
  readonly build: Build;
}

/** A case as it waits on disk, for another process to take: what made it needs more memory than taking it may. */
export interface StoredCase {
  readonly name: string;
  readonly layers: readonly ScannedBlob[];
  readonly expect: Expectation;
  readonly build: Build;
}

export type Build = "together" | "alone" | "no";

/** A case, made when its turn comes: all of them together would be more than the campaign may hold. */
export interface CaseMaker {
  readonly name: string;
  readonly make: () => HostileCase;
}

/** Layers as archives, uncompressed: what the tar reader has to cope with. */
export function archives(...all: readonly Buffer[]): readonly HostileLayer[] {
  return all.map((archive) => ({ blob: archive, diffId: digestOf(archive) }));
}

/** One layer, compressed as such layers are. */
export function gzipped(archive: Buffer): readonly HostileLayer[] {
  return [{ blob: compress(archive, "gzip"), diffId: digestOf(archive) }];
}

/** A blob that says to inflate to `archive`. */
export function blob(bytes: Buffer, archive: Buffer): readonly HostileLayer[] {
  return [{ blob: bytes, diffId: digestOf(archive) }];
}

/** `accepted`, `either`, or the rule that must refuse it. */
type Short = string;

export function hostileCase(
  name: string,
  expect: Short,
  make: () => readonly HostileLayer[],
  build: Build = "together",
): CaseMaker {
  const expectation: Expectation = expect === "accepted" || expect === "either" ? expect : { rule: expect };
  return { name, make: () => ({ name, layers: make(), expect: expectation, build }) };
}
