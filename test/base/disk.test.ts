import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import test from "node:test";
import { freeBytes, requireSpace } from "../../src/base/disk.ts";
import { hasReason } from "../../src/base/error.ts";

test("what fits is let through, and what can't is refused with both figures", async () => {
  const path = tmpdir();
  const free = await freeBytes(path);
  await requireSpace([{ path, bytes: 1 }], "test");
  await assert.rejects(requireSpace([{ path, bytes: free * 2 }], "test"), (error) => {
    assert.ok(hasReason(error, "DISK_FULL"));
    assert.equal(error.facts["path"], path);
    assert.equal(error.facts["neededBytes"], String(free * 2));
    return true;
  });
});

test("needs on one disk are added up", async () => {
  const path = tmpdir();
  const bytes = Math.ceil((await freeBytes(path)) * 0.7);
  await requireSpace([{ path, bytes }], "test");
  await assert.rejects(
    requireSpace(
      [
        { path, bytes },
        { path, bytes },
      ],
      "test",
    ),
    (error) => hasReason(error, "DISK_FULL"),
  );
});
