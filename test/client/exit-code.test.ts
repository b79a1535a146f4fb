import assert from "node:assert/strict";
import test from "node:test";
import { BangerError, type Reason } from "../../src/base/error.ts";
import { exitCodeOf } from "../../src/client/exit-code.ts";

test("exit codes by reason", () => {
  const table: readonly (readonly [Reason, number])[] = [
    ["REFERENCE_INVALID", 2],
    ["PLATFORM_INVALID", 2],
    ["MANIFEST_UNKNOWN", 3],
    ["DAEMON_UNREACHABLE", 4],
    ["REGISTRY_AUTH", 1],
    // A broken auth file or hosts.toml is no fault of the words on the command line.
    ["CONFIG_INVALID", 1],
  ];
  for (const [reason, code] of table) {
    assert.equal(exitCodeOf(new BangerError(reason, "it failed", { op: "test" })), code, reason);
  }
});
