import { statSync } from "node:fs";
import { connect } from "node:net";
import { BangerError, errnoOf, messageOf } from "../base/error.ts";

/** The kernel's limit on a unix socket's path, less its closing zero byte (unix(7), sun_path). */
const socketPathBytes = 107;

/**
 * Whether someone listens on a unix socket. A socket file that nobody listens on, or none, is a plain no.
 *
 * @throws BangerError SOCKET_INVALID where the path can't be a socket's, DAEMON_UNREACHABLE where the kernel
 *   refuses for another reason, as permissions.
 */
export async function daemonAnswers(socketPath: string): Promise<boolean> {
  if (Buffer.byteLength(socketPath) > socketPathBytes) {
    throw new BangerError(
      "SOCKET_INVALID",
      `the socket path ${socketPath} is longer than ${socketPathBytes} bytes`,
      {
        op: "connect",
        hint: "Choose a shorter one with --socket or BANGER_SOCKET.",
      },
    );
  }
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const socket = connect(socketPath);
  socket.once("connect", () => resolve(true));
  socket.once("error", (error) => {
    const code = errnoOf(error);
    if (code === "ECONNREFUSED" && !isSocket(socketPath)) reject(noSocket(socketPath, error));
    else if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ENOTDIR") resolve(false);
    else reject(refused(socketPath, error));
  });
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

/** Connecting to a file or a folder is refused just as to a socket that nobody listens on (unix(7)). */
function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? true;
}

function noSocket(path: string, cause: Error): BangerError {
  return new BangerError("SOCKET_INVALID", `${path} is no socket`, {
    op: "connect",
    cause,
    hint: "Name the socket that bangerd serves, with --socket or BANGER_SOCKET.",
  });
}

function refused(socketPath: string, error: Error): BangerError {
  const denied = errnoOf(error) === "EACCES";
  return new BangerError("DAEMON_UNREACHABLE", `cannot connect to ${socketPath}: ${messageOf(error)}`, {
    op: "connect",
    cause: error,
    hint: denied
      ? "Run banger as the user that owns the socket, or ask for its group."
      : "Check the path with --socket or BANGER_SOCKET.",
  });
}

/** No daemon on a socket that was asked for, or that the call needs. */
export function unreachable(socketPath: string, hint: string): BangerError {
  return new BangerError("DAEMON_UNREACHABLE", `no daemon answers on ${socketPath}`, { op: "connect", hint });
}
