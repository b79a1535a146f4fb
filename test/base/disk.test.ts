import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import test from "node:test";
import { freeBytes, requireSpace, type SpaceNeed } from "../../src/base/disk.ts";
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

test("what to do names what frees room, and the options of the folders that lack it", async () => {
  const hint = async (...needs: readonly SpaceNeed[]): Promise<string> => {
    const refused = requireSpace(needs, "test");
    const error: unknown = await refused.catch((thrown: unknown) => thrown);
    assert.ok(hasReason(error, "DISK_FULL"));
    assert.match(error.hint, /`banger cache prune` and `banger image rm`, or point /);
    return error.hint.replace(/^.* or point (.*) at a larger one\.$/, "$1");
  };
  const [path, bytes] = [tmpdir(), Number.MAX_SAFE_INTEGER];
  assert.equal(await hint({ path, bytes }), "--state-dir, --cache-dir or TMPDIR");
  assert.equal(await hint({ path, bytes, option: "--cache-dir" }), "--cache-dir");
  assert.equal(
    await hint(
      { path, bytes, option: "--state-dir" },
      { path, bytes: 0, option: "TMPDIR" },
      { path, bytes, option: "--state-dir" },
    ),
    "--state-dir",
  );
  assert.equal(
    await hint({ path, bytes, option: "--cache-dir" }, { path, bytes, option: "TMPDIR" }),
    "--cache-dir or TMPDIR",
  );
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
