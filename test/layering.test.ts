import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import {
  filesImportedBy,
  mayImport,
  offences,
  readSource,
  realImports,
  sourceFiles,
} from "./system/import-rules.ts";

const root = join(import.meta.dirname, "..");

test("imports point one way", () => {
  const files = sourceFiles();
  assert.ok(files.length > 10, "the sources are where this test looks");
  assert.deepEqual(
    files.flatMap((file) => offences(file, readSource(file))),
    [],
  );
});

/** Files that import one another in a circle, by way of others or not; types count as well. */
export function importCircle(imports: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const done = new Set<string>();
  const circleFrom = (file: string, path: readonly string[]): readonly string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const next of imports.get(file) ?? []) {
      const circle = circleFrom(next, [...path, file]);
      if (circle.length > 0) return circle;
    }
    done.add(file);
    return [];
  };
  return [...imports.keys()].map((file) => circleFrom(file, [])).find((circle) => circle.length > 0) ?? [];
}

test("no file imports itself by way of others", () => {
  const imports = new Map(sourceFiles().map((file) => [file, filesImportedBy(file)]));
  assert.deepEqual(importCircle(imports), []);
  const circle = new Map([
    ["a", ["b"]],
    ["b", ["c"]],
    ["c", ["d", "b"]],
  ]);
  assert.deepEqual(importCircle(circle), ["b", "c", "b"]);
});

test("every folder of src/ is in the table", () => {
  const folders = new Set(globSync("src/*/", { cwd: root }).map((path) => path.replace(/^src\/|\/$/g, "")));
  assert.deepEqual(
    [...folders].filter((folder) => !(folder in mayImport)),
    [],
  );
});

test("no folder may import what it has no use for", () => {
  const real = realImports();
  assert.deepEqual(
    Object.entries(mayImport).flatMap(([folder, targets]) =>
      targets
        .filter((target) => real.get(folder)?.has(target) !== true)
        .map((target) => `${folder}: ${target}`),
    ),
    [],
  );
});

test("the check sees what it should refuse", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["src/base/x.ts", 'import { a } from "../oci/digest.ts";'],
    ["src/base/x.ts", 'import type { a } from "../oci/digest.ts";'],
    ["src/pull/x.ts", 'const a = await import("../service/daemon.ts");'],
    ["src/pull/x.ts", 'import {\n  a,\n  b,\n} from "../client/main.ts";'],
    ["src/pull/x.ts", 'import { status } from "@grpc/grpc-js";'],
    ["src/images/x.ts", 'import { sql } from "kysely";'],
    ["src/images/x.ts", 'import { SqliteDialect } from "kysely/helpers";'],
    ["src/ext4/x.ts", 'import { spawn } from "node:child_process";'],
    ["src/store/x.ts", 'export * from "../pull/jobs.ts";'],
    ["src/pull/x.ts", 'import { a } from "../../gen/banger/image/v1/image_pb.ts";'],
  ];
  for (const [file, source] of cases) assert.equal(offences(file, source).length, 1, `${file}: ${source}`);
});
