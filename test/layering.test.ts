import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import test from "node:test";

const root = join(import.meta.dirname, "..");

/** What each folder of `src/` may import, besides itself. The folders read in the order of the road. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  oci: ["base"],
  signature: ["base", "oci"],
  config: ["base", "signature"],
  registry: ["base", "config", "oci"],
  blobs: ["base", "config", "oci"],
  layers: ["base", "oci"],
  ext4: ["base", "layers"],
  guest: ["base", "oci", "layers", "ext4"],
  kernel: ["base", "config", "oci", "registry", "blobs", "layers"],
  store: ["base", "oci", "ext4", "kernel"],
  images: ["base", "config", "oci", "layers", "ext4", "store"],
  pull: [
    "base",
    "config",
    "oci",
    "registry",
    "signature",
    "blobs",
    "layers",
    "ext4",
    "guest",
    "kernel",
    "images",
    "store",
  ],
  service: [
    "base",
    "config",
    "oci",
    "registry",
    "signature",
    "blobs",
    "layers",
    "ext4",
    "guest",
    "kernel",
    "images",
    "store",
    "pull",
    "gen",
  ],
  client: ["base", "oci", "ext4", "guest", "kernel", "images", "store", "pull", "service", "gen"],
  bin: ["client", "service"],
};

/** Packages that only some files may know; any other is free to use. */
const keptTo: Readonly<Record<string, (file: string) => boolean>> = {
  "@grpc/grpc-js": (file) => file.startsWith("src/service/") || file === "src/client/channel.ts",
  kysely: (file) => file.startsWith("src/store/"),
  "better-sqlite3": (file) => file.startsWith("src/store/"),
  execa: (file) => file === "src/base/exec.ts",
  "node:child_process": () => false,
  undici: (file) => file.startsWith("src/registry/"),
  commander: (file) => file.startsWith("src/client/") || file.startsWith("src/service/"),
};

export function importsOf(source: string): readonly string[] {
  const pattern = /(?:^|[\s;}])(?:import|export)\b[^"';]*?from\s*"([^"]+)"|\bimport\s*\(?\s*"([^"]+)"/g;
  return [...source.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? "");
}

/** What is wrong with one file's imports. */
export function offences(file: string, source: string): readonly string[] {
  const own = file.split("/")[1] ?? "";
  return importsOf(source).flatMap((specifier) => {
    if (!specifier.startsWith(".")) {
      const allowed = Object.entries(keptTo).find(
        ([name]) => specifier === name || specifier.startsWith(`${name}/`),
      );
      return allowed === undefined || allowed[1](file) ? [] : [`${file} may not import ${specifier}`];
    }
    const parts = normalize(join(dirname(file), specifier)).split("/");
    const target = parts[0] === "src" ? (parts[1] ?? "") : (parts[0] ?? "");
    const fine = target === own || (mayImport[own] ?? []).includes(target);
    return fine ? [] : [`${file} may not import ${specifier}`];
  });
}

test("imports point one way", () => {
  const files = globSync("src/**/*.{ts,js}", { cwd: root });
  assert.ok(files.length > 10, "the sources are where this test looks");
  assert.deepEqual(
    files.flatMap((file) => offences(file, readFileSync(join(root, file), "utf8"))),
    [],
  );
});

test("every folder of src/ is in the table", () => {
  const folders = new Set(globSync("src/*/", { cwd: root }).map((path) => path.replace(/^src\/|\/$/g, "")));
  assert.deepEqual(
    [...folders].filter((folder) => !(folder in mayImport)),
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
