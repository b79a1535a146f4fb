import assert from "node:assert/strict";
import test from "node:test";
import { hasReason, type Reason } from "../../src/base/error.ts";
import { chooseEntry } from "../../src/kernel/choose-entry.ts";
import type { CatalogEntry } from "../../src/kernel/kernel-source.ts";

const entry = (name: string, architecture: string, reference = `h/${name}:1`): CatalogEntry => ({
  catalog: "own",
  name,
  version: "6.1",
  architecture,
  source: { kind: "artifact", reference },
});

const fails = (reason: Reason, message: RegExp) => (error: unknown) => {
  assert.ok(hasReason(error, reason), String(error));
  assert.match(error.message, message);
  return true;
};

const hintOf = (error: unknown, hint: RegExp): boolean => {
  assert.ok(hasReason(error, "KERNEL_UNKNOWN"));
  assert.match(error.hint, hint);
  return true;
};

test("the entry of a name, for the image's architecture", () => {
  const entries = [entry("k", "arm64"), entry("k", "amd64"), entry("other", "amd64")];
  const list = { entries, warnings: [] };
  assert.equal(chooseEntry(list, { name: "k", architecture: "amd64" }), entries[1]);
  assert.equal(chooseEntry(list, { name: "k", architecture: "arm64" }), entries[0]);
  assert.throws(
    () => chooseEntry(list, { name: "other", architecture: "arm64" }),
    fails("KERNEL_MISMATCH", /for amd64, and the image is for arm64/),
  );
});

test("a name that no catalog has, whether all were asked or not", () => {
  const choice = { name: "k", architecture: "amd64" };
  assert.throws(
    () => chooseEntry({ entries: [], warnings: [] }, choice),
    (error) => fails("KERNEL_UNKNOWN", /no kernel k/)(error) && hintOf(error, /kernel pull --help/),
  );
  // A list is worth looking at only where there is one.
  assert.throws(
    () => chooseEntry({ entries: [entry("microvm", "amd64")], warnings: [] }, { ...choice, name: "mikrovm" }),
    (error) => hintOf(error, /^Did you mean microvm\? `banger kernel catalog`/),
  );
  const away = "catalog away (https://h/k.json) can't be used: h can't be reached (ECONNREFUSED)";
  assert.throws(
    () => chooseEntry({ entries: [], warnings: [away], unavailable: [away] }, choice),
    fails("CATALOG_UNAVAILABLE", /no kernel k here, and not every catalog could be asked: catalog away/),
  );
  // The one that could be asked has it: the other is no matter.
  const entries = [entry("k", "amd64")];
  assert.equal(chooseEntry({ entries, warnings: [away], unavailable: [away] }, choice), entries[0]);
});
