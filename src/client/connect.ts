import type { DaemonPaths } from "../service/paths.ts";
import { daemonAnswers, unreachable } from "./probe.ts";
import type { Rpc } from "./rpc.ts";

/** A daemon to call. Disposing of it hangs up, and stops the daemon where it was started for this call. */
export interface Connection extends AsyncDisposable {
  readonly rpc: Rpc;
}

export interface ConnectOptions {
  readonly paths: DaemonPaths;
  /** Whether a daemon may be started for the call. */
  readonly embed: boolean;
  readonly signal: AbortSignal;
}

/**
 * Connects to the daemon, or on the default socket starts one in this process.
 *
 * @throws BangerError DAEMON_UNREACHABLE, SOCKET_INVALID, and what starting a daemon throws.
 */
export async function connectDaemon(options: ConnectOptions): Promise<Connection> {
  const { socketPath, socketNamed } = options.paths;
  if (await daemonAnswers(socketPath)) return connected(socketPath);
  if (socketNamed) {
    throw unreachable(
      socketPath,
      `Start one with \`bangerd --socket ${socketPath}\`, or name another socket.`,
    );
  }
  if (!options.embed) {
    throw unreachable(socketPath, "Start one with `bangerd`: this command needs a daemon that stays.");
  }
  const { startEmbedded } = await import("./embedded.ts");
  const embedded = await startEmbedded(options.paths, options.signal);
  const { rpc, [Symbol.asyncDispose]: hangUp } = await connected(socketPath);
  return {
    rpc,
    [Symbol.asyncDispose]: async () => {
      await hangUp();
      await embedded[Symbol.asyncDispose]();
    },
  };
}

async function connected(socketPath: string): Promise<Connection> {
  // grpc-js costs a tenth of a second to load: `--help` and usage errors do without.
  const { openChannel } = await import("./channel.ts");
  const channel = openChannel(socketPath);
  return { rpc: channel, [Symbol.asyncDispose]: async () => channel[Symbol.dispose]() };
}
