import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import type { BuildProgress } from "../../src/ext4/builder.ts";
import { buildAndInspect, inputFor, workFolder, type Built } from "./build-rig.ts";
import { sampleTree } from "./sample-tree.ts";

const isRoot = process.geteuid?.() === 0;

function assertRight({ verdict }: Pick<Built, "verdict">): void {
  assert.deepEqual(verdict.differences, []);
  assert.equal(verdict.fsck.clean, true, verdict.fsck.output);
}

test("without root's rights", { skip: isRoot ? false : "the other tests run without them" }, async (t) => {
  await using folder = workFolder();
  chmodSync(folder.path, 0o777);
  const shims = join(folder.path, "shims");
  mkdirSync(shims);
  writeFileSync(join(shims, "unshare"), "#!/bin/sh\necho 'unshare: Operation not permitted' >&2\nexit 1\n");
  chmodSync(join(shims, "unshare"), 0o755);
  const asNobody = (path: string): Pick<Built, "verdict" | "facts"> => {
    const tmp = join(folder.path, `tmp-${path.length}`);
    mkdirSync(tmp);
    chmodSync(tmp, 0o777);
    const identity = [
      "--reuid",
      "65534",
      "--regid",
      "65534",
      "--clear-groups",
      "--no-new-privs",
      "--bounding-set=-all",
    ];
    const child = join(import.meta.dirname, "e2fsprogs-child.ts");
    const output = execFileSync("setpriv", [...identity, process.execPath, child], {
      encoding: "utf8",
      env: { ...process.env, PATH: path, TMPDIR: tmp },
    });
    const built: { uid: number } & Pick<Built, "verdict" | "facts"> = JSON.parse(output);
    assert.equal(built.uid, 65_534);
    return built;
  };
  const path = process.env["PATH"] ?? "";
  let changes = 0;
  await t.test("in a user namespace of its own", { skip: namespacesWork() ? false : "refused here" }, () => {
    const built = asNobody(path);
    assertRight(built);
    ({ changes } = built.facts);
  });
  await t.test("where user namespaces are refused", () => {
    const built = asNobody(`${shims}${delimiter}${path}`);
    assertRight(built);
    assert.ok(built.facts.changes > changes + 1000, "every owner is set by the script");
  });
});

function namespacesWork(): boolean {
  try {
    const nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set=-all"];
    execFileSync("setpriv", [...nobody, "unshare", "--map-root-user", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

test("progress goes up to the whole", async () => {
  await using folder = workFolder();
  const sample = sampleTree();
  const seen: BuildProgress[] = [];
  const input = await inputFor(sample, folder.path, { onProgress: (progress) => seen.push(progress) });
  const { facts } = await buildAndInspect(input);
  for (const [unit, total] of [
    ["bytes", sample.tree.contentBytes],
    ["commands", facts.changes],
  ] as const) {
    const done = seen.filter((progress) => progress.unit === unit).map((progress) => progress.done);
    assert.deepEqual(
      done,
      [...done].sort((a, b) => a - b),
    );
    assert.equal(done.at(-1), total, unit);
  }
});

test("the same tree gives the same inodes, whenever it is built", async () => {
  await using folder = workFolder();
  const stat = async (name: string): Promise<string> => {
    const target = join(folder.path, name);
    await buildAndInspect(await inputFor(sampleTree(), folder.path, { target }));
    return execFileSync("/usr/sbin/debugfs", ["-R", "stat /etc/hosts", target], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  };
  const first = await stat("first");
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const times = (text: string): readonly string[] =>
    [...text.matchAll(/^ ?(?:c|a|m|cr)time: .*$/gmu)].map(([line]) => line);
  assert.equal(times(first).length, 4);
  assert.deepEqual(times(await stat("second")), times(first));
});
