import { mkdir, rename, symlink } from "node:fs/promises";
import { join } from "node:path";
import { BangerError, errnoOf } from "../base/error.ts";
import { run } from "../base/exec.ts";
import { removeTree } from "../base/files.ts";

const op = "index modules";

/** A minute is a hundred times what Debian's 4,000 modules take. */
const timeoutMs = 60_000;

/**
 * Has kmod write `modules.dep` and its like, which modprobe looks modules up in, into the folder `modules` of `dir`.
 * Reads the modules, and runs nothing of them.
 *
 * @returns false where there is no depmod
 * @throws BangerError KERNEL_INVALID, CANCELLED.
 */
export async function indexModules(dir: string, release: string, signal: AbortSignal): Promise<boolean> {
  const base = join(dir, "depmod");
  const inside = join(base, "lib", "modules", release);
  await mkdir(join(base, "lib", "modules"), { recursive: true });
  // Where distributions have merged /usr, depmod looks under /usr/lib.
  await symlink(".", join(base, "usr"));
  await rename(join(dir, "modules"), inside);
  try {
    const options = { op, signal, timeoutMs, maxOutputBytes: 1024 * 1024 };
    const { exitCode, stderr } = await run("depmod", ["-b", base, release], options);
    if (exitCode === 0) return true;
    const said = stderr.toString("utf8").trim().split("\n").slice(-3).join("; ");
    throw new BangerError("KERNEL_INVALID", `depmod can't read the modules: ${said}`, { op });
  } catch (error) {
    if (error instanceof BangerError && errnoOf(error.cause) === "ENOENT") return false;
    throw error;
  } finally {
    await rename(inside, join(dir, "modules"));
    await removeTree(base);
  }
}
