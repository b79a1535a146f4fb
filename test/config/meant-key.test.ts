import assert from "node:assert/strict";
import test from "node:test";
import { meantKey } from "../../src/config/meant-key.ts";

test("the key that was meant, where one is near", () => {
  const known = ["state_dir", "cache_dir", "socket", "temp_dir"];
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["statedir", "state_dir"],
    ["StateDir", "state_dir"],
    ["cache-dir", "cache_dir"],
    ["sokcet", "socket"],
    ["tmp_dir", "temp_dir"],
    ["colour", undefined],
  ];
  for (const [key, meant] of cases) assert.equal(meantKey(key, known), meant, key);
  assert.equal(meantKey("a", []), undefined);
});
