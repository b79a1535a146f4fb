import { setTimeout as sleep } from "node:timers/promises";
import { BangerError, asBangerError, hasReason } from "../base/error.ts";
import type { DaemonPaths } from "../service/paths.ts";
import type { Embedded } from "./embedded.ts";
import { daemonAnswers, unreachable } from "./probe.ts";
import type { Rpc } from "./rpc.ts";
import type { Terminal } from "./terminal.ts";
import { noticed, type WaitNotice } from "./wait-notice.ts";

/** A daemon to call. Disposing of it hangs up, and stops the daemon where it was started for this call. */
export interface Connection extends AsyncDisposable {
  readonly rpc: Rpc;
}

export interface ConnectOptions {
  readonly paths: DaemonPaths;
  /** Whether a daemon may be started for the call, where none answers on the default socket; else what to do then. */
  readonly embed: true | string;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  readonly notice: WaitNotice;
  /** Tells a person something that no command asked for. */
  readonly say: (text: string) => void;
  /** How long any answer may take, in milliseconds; undefined for as long as its call's words give it. */
  readonly answerMs?: number | undefined;
}

/**
 * How long a daemon may take to send its side of the connection, in milliseconds: one that is busy does so between two
 * pieces of work.
 */
const greetingMs = 30_000;

/** How long to wait for a daemon that has the state folder and does not answer yet, in milliseconds. */
const startingMs = 5000;
const retryMs = 100;

/**
 * Connects to the daemon, or on the default socket starts one in this process.
 *
 * @throws BangerError DAEMON_UNREACHABLE, SOCKET_INVALID, and what starting a daemon throws.
 */
export async function connectDaemon(options: ConnectOptions): Promise<Connection> {
  const { socketPath, socketNamed } = options.paths;
  if (await daemonAnswers(socketPath)) return hangingUp(options);
  if (socketNamed) {
    throw unreachable(
      socketPath,
      `Start one with \`bangerd --socket ${socketPath}\`, or name another socket.`,
    );
  }
  if (options.embed !== true) throw unreachable(socketPath, options.embed);
  return connectOrStart(options);
}

/** Of two programs that start a daemon at once, one gets the state folder; the other waits for that one's socket. */
async function connectOrStart(options: ConnectOptions): Promise<Connection> {
  const { paths, terminal, signal, notice, say } = options;
  const { startEmbedded } = await import("./embedded.ts");
  using _waiting = notice.waitFor(`the daemon that has ${paths.stateDir} to answer`);
  const until = Date.now() + startingMs;
  for (;;) {
    try {
      return await embeddedConnection(await startEmbedded(paths, terminal, say), options);
    } catch (error) {
      if (!hasReason(error, "STATE_LOCKED") || Date.now() > until) throw error;
    }
    await pause(signal);
    if (await daemonAnswers(paths.socketPath)) return hangingUp(options);
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  try {
    await sleep(retryMs, undefined, { signal });
  } catch (error) {
    throw signal.reason instanceof BangerError ? signal.reason : asBangerError(error, "connect");
  }
}

async function embeddedConnection(embedded: Embedded, options: ConnectOptions): Promise<Connection> {
  // Disposed of in reverse, and each even where one before it fails.
  await using starting = new AsyncDisposableStack();
  starting.use(embedded);
  const { rpc } = starting.use(await hangingUp(options, "the daemon"));
  starting.defer(() => embedded.leave(rpc));
  const owned = starting.move();
  return { rpc, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function hangingUp(
  { paths: { socketPath }, notice, answerMs }: ConnectOptions,
  daemon = `the daemon on ${socketPath}`,
): Promise<Connection> {
  // grpc-js costs a tenth of a second to load: `--help` and usage errors do without.
  const { openChannel } = await import("./channel.ts");
  const patience = { daemon, greetingMs: Math.min(greetingMs, answerMs ?? greetingMs), answerMs };
  const channel = openChannel(socketPath, patience);
  return {
    rpc: noticed(channel, daemon, notice),
    [Symbol.asyncDispose]: async () => channel[Symbol.dispose](),
  };
}
