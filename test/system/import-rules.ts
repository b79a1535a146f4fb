import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const root = join(import.meta.dirname, "..", "..");

/** What each folder of `src/` may import, besides itself. The folders read in the order of the road. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  oci: ["base"],
  signature: ["base", "oci"],
  config: ["base", "signature"],
  registry: ["base", "oci"],
  blobs: ["base", "oci"],
  layers: ["base"],
  ext4: ["base", "layers"],
  guest: ["base", "oci", "layers", "ext4"],
  kernel: ["base", "oci", "registry", "signature", "blobs", "layers"],
  store: ["base", "oci", "ext4", "kernel"],
  images: ["base", "oci", "layers", "ext4", "store"],
  pull: [
    "base",
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
  client: ["base", "guest", "kernel", "pull", "service", "gen"],
  bin: ["client", "service"],
};

/** Packages that only some files may know; any other is free to use. */
export const keptTo: Readonly<Record<string, (file: string) => boolean>> = {
  "@grpc/grpc-js": (file) => file.startsWith("src/service/") || file === "src/client/channel.ts",
  kysely: (file) => file.startsWith("src/store/"),
  "better-sqlite3": (file) => file.startsWith("src/store/"),
  execa: (file) => file === "src/base/exec.ts",
  "node:child_process": () => false,
  undici: (file) => file.startsWith("src/registry/"),
  commander: (file) => file.startsWith("src/client/") || file.startsWith("src/service/"),
};

/** The files of `src/`, relative to the checkout. */
export function sourceFiles(): readonly string[] {
  return globSync("src/**/*.{ts,js}", { cwd: root });
}

export function readSource(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

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
    const target = folderOf(file, specifier);
    const fine = target === own || (mayImport[own] ?? []).includes(target);
    return fine ? [] : [`${file} may not import ${specifier}`];
  });
}

/** The files of the checkout that one imports; types count as well. */
export function filesImportedBy(file: string): readonly string[] {
  const relative = importsOf(readSource(file)).filter((one) => one.startsWith("."));
  return relative.map((one) => normalize(join(dirname(file), one)));
}

/** The folder of `src/`, or beside it, that a relative import leads to. */
function folderOf(file: string, specifier: string): string {
  const parts = normalize(join(dirname(file), specifier)).split("/");
  return (parts[0] === "src" ? parts[1] : parts[0]) ?? "";
}

/** The folders that each folder of `src/` really imports, besides itself. */
export function realImports(): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const file of sourceFiles()) {
    const own = file.split("/")[1] ?? "";
    const targets = found.get(own) ?? new Set();
    found.set(own, targets);
    for (const specifier of importsOf(readSource(file)).filter((one) => one.startsWith("."))) {
      const target = folderOf(file, specifier);
      if (target !== own) targets.add(target);
    }
  }
  return found;
}
