import { readFileSync, readlinkSync } from "node:fs";

/** A day: longer than a download that is still written to stays untouched. */
const abandonedMs = 24 * 60 * 60_000;

/**
 * Names this process in a file name, so that another can tell whether it still lives: PID namespace, pid, and the
 * time it started, since pids are used again.
 */
export function processOwner(): string {
  return `${pidNamespace()}-${process.pid}-${startTime(process.pid) ?? "0"}`;
}

/**
 * Whether the process that a `processOwner` names is gone. Of another PID namespace (a container that shares the
 * cache) nothing is known: there, the time since its file was last written decides.
 */
export function isGone(owner: string, idleMs: number): boolean {
  const [namespace, pid, start] = owner.split("-");
  if (namespace !== pidNamespace()) return idleMs > abandonedMs;
  return startTime(Number(pid)) !== start;
}

function pidNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? "0";
  } catch {
    // Without /proc no process can be looked up, and each stays where it was until the file is old.
    return "0";
  }
}

/** Field 22 of proc_pid_stat(5), in clock ticks since boot; undefined where there is no such process. */
function startTime(pid: number): string | undefined {
  if (!Number.isSafeInteger(pid) || pid < 1) return undefined;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in parentheses, field 2, may hold anything; fields 3 and on follow the last of them.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    // Gone between two looks, or never there.
    return undefined;
  }
}
