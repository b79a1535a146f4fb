import { join } from "node:path";
import { hasReason } from "../../base/error.ts";
import { run } from "../../base/exec.ts";
import { guestFolder, guestProgramsBuilt } from "../../guest/assets.ts";

const buildMs = 120_000;
const buildOutputBytes = 1024 * 1024;

/** Builds what goes into guests where it is missing. False where this machine can't. */
export async function provideGuestPrograms(signal: AbortSignal): Promise<boolean> {
  if (guestProgramsBuilt()) return true;
  const op = "build guest programs";
  const limits = { timeoutMs: buildMs, maxOutputBytes: buildOutputBytes };
  try {
    const { exitCode } = await run(join(guestFolder(), "build.sh"), [], { op, signal, ...limits });
    return exitCode === 0 && guestProgramsBuilt();
  } catch (error) {
    if (hasReason(error, "CANCELLED")) throw error;
    // Whatever else kept it from being built: the demo goes on without.
    return false;
  }
}
