import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { makeTempDir } from "../../../src/base/files.ts";
import { demoLayers } from "../../../src/client/demo/layers.ts";
import { writeLayout } from "../../../src/client/demo/layout.ts";
import { librariesIn } from "../../../src/client/demo/machine-files.ts";

test("the libraries that ldd lists", () => {
  const output = [
    "\tlinux-vdso.so.1 (0x00007ffd6d5e9000)",
    "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f3c1be00000)",
    "\tlibgone.so => not found",
    "\t/lib64/ld-linux-x86-64.so.2 (0x00007f3c1c0e7000)",
    "",
  ].join("\n");
  assert.deepEqual(librariesIn(output), ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]);
  assert.deepEqual(librariesIn("\tnot a dynamic executable\n"), []);
});

test("the demo's image has a shell, a whiteout, and the same digests each time", async () => {
  const { signal } = new AbortController();
  const layers = await demoLayers(signal);
  assert.equal(layers.length, 3);
  const names = layers.map((entries) => entries.map(({ header }) => header.name));
  assert.ok(names[0]?.includes("usr/bin/sh"));
  assert.ok(names[2]?.includes("srv/.wh.draft"));
  for (const layer of names) assert.equal(new Set(layer).size, layer.length, "a name twice in one layer");

  await using folder = await makeTempDir("banger-demo-test-");
  const one = await writeLayout(join(folder.path, "one"), layers);
  await writeLayout(join(folder.path, "two"), layers);
  assert.equal(one.reference, `oci:${join(folder.path, "one")}:latest`);
  const [first, second] = await Promise.all(
    ["one", "two"].map((name) => readFile(join(folder.path, name, "index.json"), "utf8")),
  );
  assert.equal(first, second);
});
