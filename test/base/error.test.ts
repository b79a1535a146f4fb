import assert from "node:assert/strict";
import test from "node:test";
import { BangerError, asBangerError, errnoOf, hasReason, isReason, reasons } from "../../src/base/error.ts";

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: it went wrong, write`), { code });
}

test("system errors become reasons that a person can act on", () => {
  const table: readonly (readonly [string, string])[] = [
    ["ENOSPC", "DISK_FULL"],
    ["EDQUOT", "DISK_FULL"],
    ["EACCES", "PERMISSION_DENIED"],
    ["EROFS", "PERMISSION_DENIED"],
    ["EIO", "FILESYSTEM_ERROR"],
    ["ENOTDIR", "FILESYSTEM_ERROR"],
    ["EBADF", "INTERNAL"],
  ];
  for (const [code, reason] of table) {
    const error = asBangerError(systemError(code), "write blob");
    assert.equal(error.reason, reason);
    assert.equal(error.op, "write blob");
    assert.equal(errnoOf(error.cause), code);
  }
});

test("an error that is ours already stays the same object", () => {
  const error = new BangerError("NAME_TAKEN", "taken", { op: "name image" });
  assert.equal(asBangerError(error, "other"), error);
});

test("where giving back fails too, it is the first error that counts, and the other is its cause", () => {
  const suppressed = new SuppressedError(systemError("EIO"), systemError("ENOSPC"), "both");
  const error = asBangerError(suppressed, "build image");
  assert.deepEqual([error.reason, error.op], ["DISK_FULL", "build image"]);
  assert.equal(error.cause, suppressed);
  const ours = new BangerError("RATE_LIMITED", "slow down", {
    op: "fetch",
    retryAfterMs: 7,
    facts: { a: "b" },
  });
  const kept = asBangerError(new SuppressedError(systemError("EIO"), ours), "pull");
  assert.deepEqual(
    [kept.reason, kept.op, kept.retryAfterMs, kept.facts],
    ["RATE_LIMITED", "fetch", 7, { a: "b" }],
  );
});

test("an abort is a cancel, and keeps the reason it was given", () => {
  const controller = new AbortController();
  controller.abort();
  assert.equal(asBangerError(controller.signal.reason, "pull").reason, "CANCELLED");
  const stopping = new BangerError("SHUTTING_DOWN", "stopping", { op: "stop" });
  const wrapped = new Error("The operation was aborted", { cause: stopping });
  wrapped.name = "AbortError";
  assert.equal(asBangerError(wrapped, "pull"), stopping);
});

test("what is thrown without being an error is reported all the same", () => {
  assert.match(asBangerError("odd", "pull").message, /odd/);
});

test("reasons are told from other words", () => {
  assert.ok(reasons.every((reason) => isReason(reason)));
  assert.ok(!isReason("NO_SUCH_REASON"));
  const error = new BangerError("DISK_FULL", "full", { op: "x" });
  assert.ok(hasReason(error, "NAME_TAKEN", "DISK_FULL"));
  assert.ok(!hasReason(error, "NAME_TAKEN"));
  assert.ok(!hasReason(new Error("DISK_FULL"), "DISK_FULL"));
});
