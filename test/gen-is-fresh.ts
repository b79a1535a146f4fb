import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Generates anew, beside the checkout, and compares: a stale `gen/` would lie to every client. */
const root = join(import.meta.dirname, "..");
const work = mkdtempSync(join(tmpdir(), "banger-gen-"));
try {
  for (const name of ["proto", "buf.yaml", "buf.gen.yaml"])
    cpSync(join(root, name), join(work, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(work, "node_modules"));
  const bin = join(root, "node_modules", ".bin");
  const env = { ...process.env, PATH: `${bin}:${process.env["PATH"] ?? ""}` };
  const generated = spawnSync("buf", ["generate"], { cwd: work, stdio: "inherit", env });
  const compared = spawnSync("diff", ["-r", join(work, "gen"), join(root, "gen")], { stdio: "inherit" });
  if (generated.status !== 0 || compared.status !== 0) {
    console.error("gen/ is not what proto/ says: run `npm run gen` and commit the result");
    process.exitCode = 1;
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
