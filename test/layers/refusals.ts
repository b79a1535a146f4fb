import assert from "node:assert/strict";
import { BangerError, type Reason } from "../../src/base/error.ts";
import type { Limits } from "../../src/base/limits.ts";
import type { FlattenRule } from "../../src/layers/flatten-rules.ts";
import type { LayerIndex } from "../../src/layers/layer-index.ts";
import { merge } from "./index-builder.ts";

/** Merging must end with that rule, and name that entry of the last layer. */
export function assertRefused(
  layers: readonly LayerIndex[],
  expected: { rule: FlattenRule; entry: number; reason?: Reason },
  limits: Partial<Limits> = {},
): BangerError {
  try {
    merge(layers, limits);
  } catch (error) {
    assert.ok(error instanceof BangerError, String(error));
    const layer = layers.at(-1);
    assert.equal(error.facts["rule"], expected.rule);
    assert.equal(error.facts["entry"], String(expected.entry));
    assert.equal(error.facts["layer"], layer?.blobDigest);
    assert.ok(error.message.includes(expected.rule) && error.message.includes(`entry ${expected.entry}`));
    assert.notEqual(error.hint, undefined);
    if (expected.reason !== undefined) assert.equal(error.reason, expected.reason);
    return error;
  }
  return assert.fail(`not refused: ${expected.rule}`);
}
