import { setTimeout as sleep } from "node:timers/promises";

/** Far longer than a daemon takes to clear up, in milliseconds, on a machine that is slow. */
const settleMs = 15_000;

/**
 * What is found of leavings once nothing is under way any more: a daemon answers as soon as a folder is out of the way,
 * and removes it behind its caller's back (`base/trash.ts`). What is still found then is left for good.
 */
export async function leftAtRest(
  look: () => readonly string[] | Promise<readonly string[]>,
): Promise<readonly string[]> {
  for (const until = Date.now() + settleMs; ; await sleep(50)) {
    const found = await look();
    if (found.length === 0 || Date.now() > until) return found;
  }
}
