import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { ServerCredentials, type Server } from "@grpc/grpc-js";
import { BangerError, messageOf } from "../base/error.ts";
import { listenOnPath, ownerOnly, socketError } from "./unix-socket.ts";

/** A unix socket that serves. Whoever made it closes it. */
export interface Listener {
  readonly path: string;
  /**
   * Takes no new connection, lets calls in flight end for up to `graceMs`, then cuts them off; removes the socket.
   * Returns once all of it is over. Idempotent.
   */
  close(graceMs: number): Promise<void>;
}

/**
 * Serves gRPC on a unix socket. One that a killed daemon left is replaced; anything else in its place is refused,
 * and left alone.
 *
 * @throws BangerError SOCKET_INVALID, and STATE_UNSAFE where others could put a socket of theirs in its place.
 */
export async function listenOn(server: Server, path: string, access = ownerOnly): Promise<Listener> {
  const listening = createGrpcServer(server);
  const lock = await listenOnPath(listening, path, access);
  return new UnixListener(server, listening, path, lock);
}

/**
 * Serves gRPC on a listening socket that this process was started with. Who may connect, and the socket's path, are
 * its maker's business: it is neither changed nor removed.
 *
 * @param path what it is called in messages
 * @throws BangerError SOCKET_INVALID, also for one of the network.
 */
export async function listenOnInherited(server: Server, fd: number, path: string): Promise<Listener> {
  const listening = createGrpcServer(server);
  try {
    listening.listen({ fd });
    await once(listening, "listening");
    // Of a unix socket Node knows no address that has a port.
    if (typeof listening.address() === "object" && listening.address() !== null) throw networkError();
    return new UnixListener(server, listening, path, undefined);
  } catch (error) {
    listening.close();
    if (error instanceof BangerError) throw error;
    const hint = "Start bangerd by its socket unit, or by itself with no LISTEN_ variables.";
    throw socketError(`can't listen on the socket that was passed on: ${messageOf(error)}`, hint, error);
  }
}

/** Whoever can connect can do all that the daemon can, and nothing but a unix socket's mode says who that is. */
function networkError(): BangerError {
  const hint = "Give bangerd.socket the path of a unix socket: ListenStream=/run/banger/bangerd.sock.";
  return socketError("the socket that was passed on is one of the network", hint);
}

function createGrpcServer(server: Server): NetServer {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return createServer((socket) => injector.injectConnection(named(socket)));
}

let connections = 0;

/**
 * A unix socket's peer has no address, and `call.getPeer()` nothing to tell connections apart by: so each gets a name
 * where grpc-js looks for one.
 */
function named(socket: Socket): Socket {
  return Object.defineProperty(socket, "remoteAddress", { value: `connection-${++connections}` });
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
