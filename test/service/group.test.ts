import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { makeTempDir } from "../../src/base/files.ts";
import { groupIn, groupNumber } from "../../src/service/group.ts";

const { signal } = new AbortController();

describe("a group's number", () => {
  test("by a line of group(5)", () => {
    const text = "root:x:0:\nkvm:x:104:a,b\nbad:x::\nworse:x:4294967295:\nkvm2:x:7";
    const cases: readonly (readonly [string, number | undefined])[] = [
      ["root", 0],
      ["kvm", 104],
      ["kvm2", 7],
      ["kv", undefined],
      ["bad", undefined],
      ["worse", undefined],
      ["", undefined],
    ];
    for (const [name, number] of cases) assert.equal(groupIn(text, name), number, name);
  });

  test("is itself, is found in the file, or wherever the system keeps groups", async () => {
    await using dir = await makeTempDir("banger-group-");
    const file = join(dir.path, "group");
    await writeFile(file, "ours:x:4711:\n");
    assert.equal(await groupNumber("1234", signal, file), 1234);
    assert.equal(await groupNumber("ours", signal, file), 4711);
    // Not in that file, so that getent is asked.
    assert.equal(await groupNumber("root", signal, file), 0);
    assert.equal(await groupNumber("root", signal, join(dir.path, "none")), 0);
  });

  test("that is none's is said", async () => {
    for (const name of ["no-such-group-here", "4294967295", "99999999999999999999"]) {
      await assert.rejects(
        groupNumber(name, signal),
        (error) => hasReason(error, "CONFIG_INVALID") && error.message.includes(name),
      );
    }
  });
});
