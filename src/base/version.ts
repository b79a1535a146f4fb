import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Of the package: its `package.json` is two folders up in a checkout, three once compiled to `dist/`. */
export function packageVersion(): string {
  for (const up of ["../..", "../../.."]) {
    const version = readVersion(join(import.meta.dirname, up, "package.json"));
    if (version !== undefined) return version;
  }
  return "unknown";
}

function readVersion(path: string): string | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof value !== "object" || value === null || !("version" in value)) return undefined;
    return typeof value.version === "string" ? value.version : undefined;
  } catch {
    // Not there: the next place is tried.
    return undefined;
  }
}
