import { once } from "node:events";
import { createServer, type Server } from "node:http";

/** A collector of traces that answers as it is told, and keeps what it was sent. */
export class FakeCollector implements AsyncDisposable {
  readonly bodies: unknown[] = [];
  readonly requests: string[] = [];
  /** Status codes of the next answers; 200 after them. `hang` gives none. */
  answers: (number | "hang")[] = [];
  #wake = Promise.withResolvers<void>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on("data", (piece: Buffer) => pieces.push(piece));
      request.on("end", () => {
        this.requests.push(`${request.method} ${request.url} ${request.headers["content-type"]}`);
        const answer = this.answers.shift() ?? 200;
        if (answer === 200) this.bodies.push(JSON.parse(Buffer.concat(pieces).toString()));
        if (answer !== "hang") response.writeHead(answer).end("{}");
        this.#wake.resolve();
        this.#wake = Promise.withResolvers();
      });
    });
  }

  static async start(port = 0): Promise<FakeCollector> {
    const collector = new FakeCollector();
    collector.#server.listen(port, "127.0.0.1");
    await once(collector.#server, "listening");
    return collector;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Resolves once that many requests have come. */
  async heard(count: number): Promise<void> {
    while (this.requests.length < count) await this.#wake.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }
}
