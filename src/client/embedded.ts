import { setTimeout as sleep } from "node:timers/promises";
import { ImageService } from "../../gen/banger/image/v1/image_service_pb.ts";
import { loadConfig } from "../service/config.ts";
import { startDaemon } from "../service/daemon.ts";
import { lineLog, silentLog, type Log } from "../service/log.ts";
import type { DaemonPaths } from "../service/paths.ts";
import type { Rpc } from "./rpc.ts";
import { printLines, type Terminal } from "./terminal.ts";

/** A daemon in this process. Disposing of it stops it at once; `leave` lets others finish first. */
export interface Embedded extends AsyncDisposable {
  /** Returns once no pull is under way. Those of this process have ended by then; what is left is other clients'. */
  leave(rpc: Rpc): Promise<void>;
}

/** How often to ask whether other clients' pulls have ended, and when to say what is waited for, in milliseconds. */
const pollMs = 200;
const noticeMs = 2000;

/**
 * Starts a daemon on that socket. With BANGER_DEBUG=1 it logs to stderr; without, all that it tells is what it had to
 * remove, forget or fail, since nobody else will.
 *
 * @param say tells a person something
 * @throws BangerError STATE_LOCKED where another daemon holds the state folder, and all that starting one throws.
 */
export async function startEmbedded(
  paths: DaemonPaths,
  terminal: Terminal,
  say: (text: string) => void = () => {},
): Promise<Embedded> {
  const debug = terminal.env["BANGER_DEBUG"] === "1";
  const log = debug ? lineLog((line) => terminal.stderr.write(line)) : silentLog;
  const recoveryLog = debug ? log : spokenLog(say);
  const options = { log, recoveryLog, resume: false, metrics: false };
  const daemon = await startDaemon(loadConfig(paths, terminal.env), options);
  return {
    leave: (rpc) => othersDone(rpc, terminal, daemon.postponedPulls),
    [Symbol.asyncDispose]: () => daemon.stop(),
  };
}

/** Says what is worth a warning: `! failed pulls that were cut off: p473c2c81281b391a`. */
function spokenLog(say: (text: string) => void): Log {
  return {
    ...silentLog,
    warn: (event, facts = {}) => say(`! ${event}: ${Object.values(facts).flat().join(", ")}`),
  };
}

/** Other programs may have found this daemon on its socket. A second Ctrl-C ends the wait, and the process. */
async function othersDone(rpc: Rpc, terminal: Terminal, postponed: ReadonlySet<string>): Promise<void> {
  const { signal } = new AbortController();
  let waited = 0;
  for (;;) {
    const { pulls } = await rpc.unary(
      ImageService.method.listPulls,
      { pageSize: 1000, activeOnly: true },
      signal,
    );
    if (pulls.every(({ id }) => postponed.has(id))) return;
    if (waited === noticeMs) {
      printLines(terminal.stderr, [
        "Waiting for pulls of other clients, which this process serves. Ctrl-C twice ends them.",
      ]);
    }
    await sleep(pollMs);
    waited += pollMs;
  }
}
