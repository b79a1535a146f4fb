import { once } from "node:events";
import { chmod, chown, lstat, rm } from "node:fs/promises";
import { createConnection, createServer, type Server as NetServer, type Socket } from "node:net";
import { dirname, isAbsolute } from "node:path";
import { ServerCredentials, type Server } from "@grpc/grpc-js";
import { BangerError, asBangerError, errnoOf, messageOf } from "../base/error.ts";
import { lockFile } from "../store/lock.ts";
import { claimSocketFolder } from "./folders.ts";

/** Bytes of a path that fit `sun_path` with its closing zero (unix(7)); a longer one gives a bare EINVAL. */
const maxSocketPath = 107;

/** How long a program may take to accept a probe before it counts as alive, in milliseconds. */
const probeMs = 1000;

/** A unix socket that serves. Whoever made it closes it. */
export interface Listener {
  readonly path: string;
  /**
   * Takes no new connection, lets calls in flight end for up to `graceMs`, then cuts them off; removes the socket.
   * Returns once all of it is over. Idempotent.
   */
  close(graceMs: number): Promise<void>;
}

/** Who may connect. */
export interface SocketAccess {
  /** Permission bits. */
  readonly mode: number;
  /** Number of the socket's group; undefined leaves it the daemon's. */
  readonly gid: number | undefined;
}

export const ownerOnly: SocketAccess = { mode: 0o600, gid: undefined };

/**
 * Serves gRPC on a unix socket. One that a killed daemon left is replaced; anything else in its place is refused,
 * and left alone.
 *
 * @throws BangerError SOCKET_INVALID, and STATE_UNSAFE where others could put a socket of theirs in its place.
 */
export async function listenOn(server: Server, path: string, access = ownerOnly): Promise<Listener> {
  checkSocketPath(path);
  await claimSocketFolder(dirname(path), access);
  // Between the probe of a stale socket and its removal another daemon could put its own there.
  const lock = lockFile(`${path}.lock`);
  if (lock === undefined) throw inUseError(path);
  try {
    await clearStaleSocket(path);
    const listening = await bind(server, path, access);
    return new UnixListener(server, listening, path, lock);
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

/**
 * Serves gRPC on a listening socket that this process was started with. Who may connect, and the socket's path, are
 * its maker's business: it is neither changed nor removed.
 *
 * @param path what it is called in messages
 * @throws BangerError SOCKET_INVALID.
 */
export async function listenOnInherited(server: Server, fd: number, path: string): Promise<Listener> {
  const listening = createGrpcServer(server);
  try {
    listening.listen({ fd });
    await once(listening, "listening");
    return new UnixListener(server, listening, path, undefined);
  } catch (error) {
    listening.close();
    const hint = "Start bangerd by its socket unit, or by itself with no LISTEN_ variables.";
    throw socketError(`can't listen on the socket that was passed on: ${messageOf(error)}`, hint, error);
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

async function bind(server: Server, path: string, access: SocketAccess): Promise<NetServer> {
  const listening = createGrpcServer(server);
  const before = process.umask(0o177);
  try {
    // Binds before it returns, so that the socket is never there with a wider mode.
    listening.listen(path);
  } finally {
    process.umask(before);
  }
  try {
    await once(listening, "listening");
    // The group before the mode: none but the one that is meant is ever let in.
    if (access.gid !== undefined) await giveToGroup(path, access.gid);
    await chmod(path, access.mode);
    return listening;
  } catch (error) {
    listening.close();
    if (error instanceof BangerError) throw error;
    throw socketError(
      `can't listen on ${path}: ${messageOf(error)}`,
      "Check that its folder exists and is yours to write.",
      error,
    );
  }
}

function createGrpcServer(server: Server): NetServer {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return createServer((socket) => injector.injectConnection(socket));
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

class UnixListener implements Listener {
  readonly path: string;
  readonly #server: Server;
  readonly #listening: NetServer;
  /** Held by whoever made the socket, and removes it. */
  readonly #lock: Disposable | undefined;
  readonly #sockets = new Set<Socket>();
  #closed: Promise<void> | undefined;

  constructor(server: Server, listening: NetServer, path: string, lock: Disposable | undefined) {
    this.path = path;
    this.#server = server;
    this.#listening = listening;
    this.#lock = lock;
    listening.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  close(graceMs: number): Promise<void> {
    this.#closed ??= this.#close(graceMs);
    return this.#closed;
  }

  async #close(graceMs: number): Promise<void> {
    const force = setTimeout(() => {
      this.#server.forceShutdown();
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
    try {
      // With injected connections `tryShutdown` alone returns while streams are active.
      await Promise.all([this.#connectionsEnded(), this.#sessionsEnded()]);
    } finally {
      clearTimeout(force);
      if (this.#lock !== undefined) await rm(this.path, { force: true });
      this.#lock?.[Symbol.dispose]();
    }
  }

  #connectionsEnded(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#listening.close(() => resolve());
    return promise;
  }

  #sessionsEnded(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    // Its error is that it was shut down already, which is what is wanted.
    this.#server.tryShutdown(() => resolve());
    return promise;
  }
}

function inUseError(path: string): BangerError {
  return socketError(
    `another program serves ${path}`,
    `Talk to it with \`banger --socket ${path}\`, stop it, or choose another with --socket.`,
  );
}

function socketError(message: string, hint: string, cause?: unknown): BangerError {
  return new BangerError("SOCKET_INVALID", message, { op: "listen", hint, cause });
}
