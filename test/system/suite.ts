import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import { keepCompiled } from "./compile-cache.ts";
import { providePackages } from "./packages.ts";

/** A hung test is a failed one; the longest, which makes a Debian, takes a minute. */
const testTimeoutMs = 300_000;

const root = join(import.meta.dirname, "..", "..");

function runOrExit(program: string, args: readonly string[]): void {
  const { status } = spawnSync(program, [...args], { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

keepCompiled();
const missing = providePackages();
if (missing.length > 0) {
  console.error(`The tests need these Debian packages: apt-get install ${missing.join(" ")}`);
  process.exit(1);
}
if (process.argv.length <= 2) runOrExit("npm", ["run", "-s", "check"]);
// As the package has them: what tests pull, they pull with agents.
runOrExit("npm", ["run", "-s", "build:guest"]);
const chosen = process.argv.slice(2);
const files = chosen.length > 0 ? chosen : globSync("test/**/*.test.ts", { cwd: root }).sort();
runOrExit(process.execPath, ["--test", "--test-concurrency=2", `--test-timeout=${testTimeoutMs}`, ...files]);
