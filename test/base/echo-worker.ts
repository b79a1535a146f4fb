import { readlinkSync } from "node:fs";
import { getPriority } from "node:os";
import { basename } from "node:path";
import { threadId } from "node:worker_threads";
import { BangerError } from "../../src/base/error.ts";
import { serveJobs, yieldToOtherThreads } from "../../src/base/workers.ts";

export type EchoJob = "say" | "fail" | "break" | "die" | "hang" | "yield" | "which";

function hang(): never {
  for (;;);
}

serveJobs<EchoJob, string, number>((job, { progress }) => {
  switch (job) {
    case "say":
      progress(1);
      progress(2);
      return "said";
    case "which":
      return String(threadId);
    case "yield":
      yieldToOtherThreads();
      return String(getPriority(Number(basename(readlinkSync("/proc/thread-self")))));
    case "fail":
      throw new BangerError("LAYER_UNSAFE", "no", { op: "echo", hint: "don't", facts: { entry: "7" } });
    case "break":
      throw new TypeError("broken");
    case "die":
      return process.exit(3);
    case "hang":
      progress(0);
      return hang();
  }
});
