import type { ExitCode } from "./exit-code.ts";
import type { DaemonPaths } from "../service/paths.ts";
import type { Rpc } from "./rpc.ts";
import type { Terminal } from "./terminal.ts";
import type { WaitNotice } from "./wait-notice.ts";

/** What a command works with. It owns none of it. */
export interface Session {
  readonly rpc: Rpc;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
  readonly notice: WaitNotice;
}

/** What there is without a daemon. */
export interface OfflineContext {
  readonly paths: DaemonPaths;
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
}

export interface SessionOptions {
  /** Whether a daemon may be started in this process where none runs; a text says what to do where none may. */
  readonly embed?: true | string;
  readonly errors?: "text" | "json";
  /** The daemon is looked for by what a wrong config says rightly: the command tells what is wrong with it. */
  readonly anyConfig?: true;
  /** Nobody may be kept waiting: every answer within so many milliseconds, and not a word meanwhile. */
  readonly answerMs?: number;
  /** What to tell where no daemon answers, before that is told; the command fails all the same. */
  readonly withoutDaemon?: (context: OfflineContext) => Promise<void>;
}

/** Runs one command: connects, works, disconnects, tells errors, and sets the exit code. */
export type RunSession = (
  work: (session: Session) => Promise<ExitCode | undefined>,
  options?: SessionOptions,
) => Promise<void>;
