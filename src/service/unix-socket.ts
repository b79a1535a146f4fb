import { once } from "node:events";
import { chmod, chown, lstat, rm } from "node:fs/promises";
import { createConnection, type Server as NetServer } from "node:net";
import { dirname, isAbsolute } from "node:path";
import { BangerError, asBangerError, errnoOf, messageOf } from "../base/error.ts";
import { lockFile } from "../store/lock.ts";
import { claimSocketFolder } from "./folders.ts";

/** Bytes of a path that fit `sun_path` with its closing zero (unix(7)); a longer one gives a bare EINVAL. */
const maxSocketPath = 107;

/** How long a program may take to accept a probe before it counts as alive, in milliseconds. */
const probeMs = 1000;

/** Who may connect. */
export interface SocketAccess {
  /** Permission bits. */
  readonly mode: number;
  /** Number of the socket's group; undefined leaves it the daemon's. */
  readonly gid: number | undefined;
}

export const ownerOnly: SocketAccess = { mode: 0o600, gid: undefined };

/**
 * Has a server listen on a unix socket. One that a killed daemon left is replaced; anything else in its place is
 * refused, and left alone.
 *
 * @returns what keeps other daemons off that path; the caller gives it back once the server is closed
 * @throws BangerError SOCKET_INVALID, and STATE_UNSAFE where others could put a socket of theirs in its place. The
 *   server is closed then.
 */
export async function listenOnPath(
  server: NetServer,
  path: string,
  access: SocketAccess,
): Promise<Disposable> {
  checkSocketPath(path);
  await claimSocketFolder(dirname(path), access);
  // Between the probe of a stale socket and its removal another daemon could put its own there.
  const lock = lockFile(`${path}.lock`);
  if (lock === undefined) throw inUseError(path);
  try {
    await clearStaleSocket(path);
    await bind(server, path, access);
    return lock;
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

/** @throws BangerError SOCKET_INVALID where no socket can have that path. */
export function checkSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (isAbsolute(path) && !path.includes("\0") && bytes <= maxSocketPath) return;
  const why =
    bytes > maxSocketPath ? `has ${bytes} bytes, and a unix socket's may have 107` : "is not absolute";
  throw socketError(`the socket path ${path} ${why}`, "Choose another with --socket.");
}

async function bind(server: NetServer, path: string, access: SocketAccess): Promise<void> {
  const before = process.umask(0o177);
  try {
    // Binds before it returns, so that the socket is never there with a wider mode.
    server.listen(path);
  } finally {
    process.umask(before);
  }
  try {
    await once(server, "listening");
    // The group before the mode: none but the one that is meant is ever let in.
    if (access.gid !== undefined) await giveToGroup(path, access.gid);
    await chmod(path, access.mode);
  } catch (error) {
    server.close();
    if (error instanceof BangerError) throw error;
    throw socketError(
      `can't listen on ${path}: ${messageOf(error)}`,
      "Check that its folder exists and is yours to write.",
      error,
    );
  }
}

async function giveToGroup(path: string, gid: number): Promise<void> {
  try {
    await chown(path, -1, gid);
  } catch (error) {
    // chown(2): but for root, the group must be one that the process is in.
    const hint = "Run bangerd as root or as a member of that group, or name another under [socket].";
    throw socketError(`can't give ${path} to group ${gid}: ${messageOf(error)}`, hint, error);
  }
}

async function clearStaleSocket(path: string): Promise<void> {
  try {
    const stats = await lstat(path);
    if (!stats.isSocket()) {
      throw socketError(`${path} exists and is no socket`, "Move it away, or choose another with --socket.");
    }
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw asBangerError(error, "look at socket");
  }
  if (await somebodyListens(path)) throw inUseError(path);
  await rm(path, { force: true });
}

/** ECONNREFUSED is what the kernel says of a socket whose process is gone. Anything else counts as alive. */
async function somebodyListens(path: string): Promise<boolean> {
  const probe = createConnection(path);
  probe.setTimeout(probeMs, () => probe.destroy(new Error(`no answer in ${probeMs} ms`)));
  try {
    await once(probe, "connect");
    return true;
  } catch (error) {
    return errnoOf(error) !== "ECONNREFUSED" && errnoOf(error) !== "ENOENT";
  } finally {
    probe.destroy();
  }
}

function inUseError(path: string): BangerError {
  return socketError(
    `another program serves ${path}`,
    `Where it is a bangerd, talk to it with \`banger --socket ${path}\`; else stop it, or choose another with --socket.`,
  );
}

export function socketError(message: string, hint: string, cause?: unknown): BangerError {
  return new BangerError("SOCKET_INVALID", message, { op: "listen", hint, cause });
}
