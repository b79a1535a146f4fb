/**
 * A web server of catalogs on 127.0.0.1: what it serves can be changed, and it can be stopped and started again at
 * the same address.
 *
 *   await using server = await CatalogServer.start();
 *   server.put("/k.json", { kernels: […] }, { etag: '"1"' });
 *   … fetch `${server.url}/k.json` …
 *   server.requests
 */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

interface Served {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface CatalogRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** What it was answered with. */
  readonly status: number;
}

export class CatalogServer implements AsyncDisposable {
  readonly requests: CatalogRequest[] = [];
  readonly #served = new Map<string, Served>();
  #server: Server | undefined;
  #port = 0;

  static async start(): Promise<CatalogServer> {
    const server = new CatalogServer();
    await server.up();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Serves a document; text goes out as it is. Its headers are what makes it conditional. */
  put(path: string, document: unknown, headers: Readonly<Record<string, string>> = {}, status = 200): void {
    const body = typeof document === "string" ? document : JSON.stringify(document);
    this.#served.set(path, { status, body, headers });
  }

  async up(): Promise<void> {
    const server = createServer((request, response) => {
      const path = request.url ?? "";
      const served = this.#served.get(path);
      const { etag, "last-modified": modified } = served?.headers ?? {};
      const same =
        (etag !== undefined && request.headers["if-none-match"] === etag) ||
        (etag === undefined && modified !== undefined && request.headers["if-modified-since"] === modified);
      const status = served === undefined ? 404 : same ? 304 : served.status;
      this.requests.push({ path, headers: request.headers, status });
      if (served?.body === "hang") return;
      response.writeHead(status, served?.headers ?? {});
      response.end(status === 304 ? "" : (served?.body ?? "not here"));
    });
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    const address: AddressInfo | string | null = server.address();
    if (address === null || typeof address === "string") throw new Error("the server does not listen");
    this.#port = address.port;
    this.#server = server;
  }

  /** Nobody listens there any more. */
  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }
}
