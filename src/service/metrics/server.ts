import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { BangerError, asBangerError, messageOf } from "../../base/error.ts";
import type { ListenAddress } from "../../config/settings.ts";
import { listenOnPath, type SocketAccess } from "../unix-socket.ts";
import { contentType } from "./exposition.ts";

/** How long a request may take to come, in milliseconds; what asks is a program on the same machine. */
const requestMs = 5000;

/** Some Prometheus servers, and a person with curl. */
const maxConnections = 16;

/** Serves `/metrics` over HTTP until it is disposed of. */
export interface MetricsServer extends AsyncDisposable {
  /** Where: a URL, or the path of a socket. */
  readonly address: string;
}

/**
 * @param render the page, made anew for each request
 * @throws BangerError SOCKET_INVALID where nothing can listen there.
 */
export async function serveMetrics(
  listen: ListenAddress,
  access: SocketAccess,
  render: () => Promise<string>,
): Promise<MetricsServer> {
  const server = createServer(
    { requestTimeout: requestMs, headersTimeout: requestMs },
    (request, response) => {
      void answer(request, response, render);
    },
  );
  server.maxConnections = maxConnections;
  const lock = await bind(server, listen, access);
  return {
    address: addressOf(server, listen),
    [Symbol.asyncDispose]: async () => {
      using _lock = lock;
      await close(server, listen);
    },
  };
}

/** @returns what the path of a socket is kept by. */
async function bind(
  server: Server,
  listen: ListenAddress,
  access: SocketAccess,
): Promise<Disposable | undefined> {
  if (listen.kind === "unix") return listenOnPath(server, listen.path, access);
  try {
    server.listen({ host: listen.host, port: listen.port, exclusive: true });
    await once(server, "listening");
    return undefined;
  } catch (error) {
    server.close();
    throw new BangerError(
      "SOCKET_INVALID",
      `can't serve metrics on ${listen.host}:${listen.port}: ${messageOf(error)}`,
      {
        op: "serve metrics",
        cause: error,
        hint: "Choose another address under [metrics] in the config file.",
      },
    );
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  render: () => Promise<string>,
): Promise<void> {
  const { method, url } = request;
  request.resume();
  if (method !== "GET" && method !== "HEAD")
    return void response.writeHead(405, { allow: "GET, HEAD" }).end();
  if (url?.split("?")[0] !== "/metrics") return void response.writeHead(404).end("See /metrics.\n");
  try {
    const page = await render();
    response.writeHead(200, { "content-type": contentType }).end(method === "HEAD" ? undefined : page);
  } catch (error) {
    // Told to who asked, as everything a request runs into; the daemon itself is none the worse.
    response.writeHead(500).end(`${asBangerError(error, "collect metrics").message}\n`);
  }
}

function addressOf(server: Server, listen: ListenAddress): string {
  if (listen.kind === "unix") return listen.path;
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : listen.port;
  return `http://${listen.host.includes(":") ? `[${listen.host}]` : listen.host}:${port}/metrics`;
}

async function close(server: Server, listen: ListenAddress): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
  if (listen.kind === "unix") await rm(listen.path, { force: true });
}
