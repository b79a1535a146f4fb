import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";

export interface Measured {
  readonly seconds: number;
  /** Of all cores together: what a loaded machine does not change by much. */
  readonly cpuSeconds: number;
  /** The most that the program and its children held at one time, in bytes: resident, sampled. */
  readonly peakBytes: number;
  /** What they gave to the disk, in bytes, page cache counted as disk. */
  readonly writtenBytes: number;
  readonly stdout: string;
}

/** How often memory is looked at, in milliseconds. It takes about one of them. */
const sampleMs = 25;

/** Runs a program, and measures it together with whatever it starts. A failure ends the bench. */
export async function measure(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Measured> {
  const before = writtenSoFar();
  const cpuBefore = childrenCpu();
  const begin = performance.now();
  const child = spawn(program, [...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  const { pid = 0 } = child;
  let peakBytes = 0;
  const timer = setInterval(() => (peakBytes = Math.max(peakBytes, residentBytes(pid))), sampleMs);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (stdout += piece));
  child.stderr.setEncoding("utf8").on("data", (piece: string) => (stderr = (stderr + piece).slice(-4000)));
  try {
    await once(child, "close");
  } finally {
    clearInterval(timer);
  }
  const seconds = (performance.now() - begin) / 1000;
  if (child.exitCode !== 0)
    throw new Error(`${program} ${args.join(" ")} ended with ${String(child.exitCode)}: ${stderr}`);
  const cpuSeconds = childrenCpu() - cpuBefore;
  return { seconds, cpuSeconds, peakBytes, writtenBytes: writtenSoFar() - before, stdout };
}

/** proc(5): a process's own and that of the children that it has waited for. */
function writtenSoFar(): number {
  return Number(/^write_bytes: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);
}

/** `cutime` and `cstime` of proc(5), in clock ticks of 10 ms: of children that were waited for, and theirs. */
function childrenCpu(): number {
  const text = readFileSync("/proc/self/stat", "latin1");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

/** Resident memory of a process and those below it, as `VmRSS` of proc(5) counts it. */
function residentBytes(pid: number): number {
  try {
    const kib = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0;
    let bytes = Number(kib) * 1024;
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${thread}/children`, "latin1");
      for (const child of children.split(" ")) if (child !== "") bytes += residentBytes(Number(child));
    }
    return bytes;
  } catch {
    // It has just ended.
    return 0;
  }
}
