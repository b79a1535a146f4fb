import { inspect } from "node:util";
import { asBangerError, hasReason, type BangerError } from "../base/error.ts";
import type { DaemonPaths } from "../service/paths.ts";
import { exitCodeOf, exitCodes, type ExitCode } from "./exit-code.ts";
import { watchInterrupts } from "./interrupt.ts";
import { errorLines } from "./render/error.ts";
import { errorLine } from "./render/json.ts";
import { hanging } from "./render/text.ts";
import type { RunSession, Session } from "./session.ts";
import { columnsOf, printLines, showLines, stderrColour, watchOutput, type Terminal } from "./terminal.ts";
import { waitNotice } from "./wait-notice.ts";

export interface SessionHost {
  readonly terminal: Terminal;
  /** @param anyConfig whether a wrong config is taken for what it says rightly */
  readonly paths: (anyConfig: boolean) => DaemonPaths;
  readonly setExitCode: (code: ExitCode) => void;
}

/** How commands meet the daemon: one connection each, Ctrl-C obeyed, every error told once and turned to an exit code. */
export function sessionRunner({ terminal, paths, setExitCode }: SessionHost): RunSession {
  return async (work, options = {}) => {
    using interrupt = watchInterrupts();
    const { signal } = interrupt;
    const output = watchOutput(terminal, () => interrupt.leave());
    const { answerMs } = options;
    // A program that reads errors as JSON gets nothing else.
    const quiet = answerMs !== undefined || options.errors === "json";
    const say = (text: string): void => {
      if (!quiet) showLines(terminal, "stderr", hanging(text, columnsOf(terminal, "stderr")));
    };
    const notice = waitNotice((what) => say(`Waiting for ${what}. Ctrl-C ends the wait.`));
    let place: DaemonPaths | undefined;
    try {
      const { connectDaemon } = await import("./connect.ts");
      const embed = options.embed ?? true;
      place = paths(options.anyConfig === true);
      const how = { paths: place, embed, terminal, signal, notice, say, answerMs };
      await using connection = await connectDaemon(how);
      const session: Session = { rpc: connection.rpc, signal, terminal, notice };
      const exitCode = (await work(session)) ?? exitCodes.done;
      await output.written();
      setExitCode(exitCode);
    } catch (error) {
      const lost = output.lost();
      const failure = lost?.error ?? asBangerError(error, "banger");
      const readerGone = lost !== undefined && lost.error === undefined;
      if (place !== undefined && hasReason(failure, "DAEMON_UNREACHABLE")) {
        await options.withoutDaemon?.({ paths: place, signal, terminal });
      }
      if (!readerGone) tellError(failure, options.errors ?? "text", terminal);
      const interrupted = signal.aborted && lost === undefined;
      setExitCode(interrupted ? exitCodes.interrupted : exitCodeOf(failure));
    }
  };
}

export function tellError(error: BangerError, how: "text" | "json", terminal: Terminal): void {
  if (how === "json") return printLines(terminal.stderr, [errorLine(error)]);
  showLines(terminal, "stderr", errorLines(error, stderrColour(terminal), columnsOf(terminal, "stderr")));
  if (terminal.env["BANGER_DEBUG"] === "1") {
    printLines(terminal.stderr, [`${error.reason} in ${error.op}`, inspect(error, { depth: 8 })]);
  }
}
