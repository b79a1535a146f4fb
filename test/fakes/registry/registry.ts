/**
 * A registry that does as it is told, faults included, on 127.0.0.1 over plain HTTP.
 *
 *   await using registry = await FakeRegistry.start();
 *   registry.add("team/app", "1.0", buildImage({ layers: [noise(1e6)] }));      // see images.ts
 *   registry.fault({ path: /blobs/, times: 1 }, { cutAfter: 300_000 });
 *   … pull `${registry.host}/team/app:1.0` …
 *   registry.requests                                                           // all that it was asked
 *
 * Faults are tried in the order they were added; the first that matches and is not used up overlays the honest
 * answer. `requireAuth` makes it ask for Bearer or Basic authentication, and serves `/token`. A second one makes an
 * "other host" for redirects: `serve` answers any path.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import type { FakeImage, Stored } from "./images.ts";

export interface RecordedRequest {
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** What a POST sent; empty for anything else. */
  readonly form: URLSearchParams;
}

export interface FaultMatch {
  readonly method?: string;
  readonly path?: RegExp;
  /** Matching requests that are let through first. */
  readonly skip?: number;
  /** Requests that it strikes; all where undefined. */
  readonly times?: number;
}

export interface Fault {
  readonly status?: number;
  /** Replace those of the same name; undefined removes one. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: Buffer | string;
  /** Bytes of the body after which the connection is cut; the client may lose some of those. */
  readonly cutAfter?: number;
  /** Answers 200 from the start, whatever Range says. */
  readonly ignoreRange?: boolean;
  /** Content-Range claims what was asked for, and the bytes start this much later. */
  readonly shiftRange?: number;
  /** No Content-Length. */
  readonly chunked?: boolean;
  /** Sends so many bytes, waits so long, and so on. */
  readonly drip?: { readonly bytes: number; readonly everyMs: number };
  /**
   * Never more under way than so many bytes beyond what the client has, which `arrived` tells as an offset in the
   * blob: a network's window, where loopback's would be what the kernel buffers.
   */
  readonly window?: { readonly bytes: number; readonly arrived: () => number };
  /** After the body, this again and again until the client goes. */
  readonly endless?: Buffer;
  /** Never answers. */
  readonly hang?: boolean;
  /** Sends the head and then nothing. */
  readonly silentBody?: boolean;
  /** In place of an answer, this head without an end, a piece at a time. */
  readonly endlessHead?: { readonly piece: string; readonly everyMs: number };
  /** Closes the connection instead of answering. */
  readonly reset?: boolean;
  /** After the answer, or where it was cut, nothing listens any more until `comeBack`. */
  readonly goesAway?: boolean;
}

export interface AuthRules {
  readonly scheme: "bearer" | "basic";
  /** WWW-Authenticate headers in place of the usual one; `{host}` becomes the registry's. */
  readonly challenges?: readonly string[];
  /** What the token server, or Basic, wants; anonymous where undefined. */
  readonly user?: { readonly name: string; readonly password: string };
  /** What a POST for a token must hold as refresh_token; a server that knows no POST where undefined. */
  readonly identity?: string;
  /** What such a server answers; 404 where undefined. */
  readonly noPostStatus?: number;
  /** Takes the identity's place once it was used. */
  readonly nextIdentity?: string;
  /** Member of the token answer that the token is in. */
  readonly tokenField?: "token" | "access_token";
  readonly expiresIn?: number;
  /** What its tokens begin with. */
  readonly tokenPrefix?: string;
  /** Requests that one token is good for; any number where undefined. */
  readonly uses?: number;
}

interface Reply {
  status: number;
  headers: Record<string, string | readonly string[] | undefined>;
  body: Buffer;
}

interface PlannedFault {
  readonly match: FaultMatch;
  readonly fault: Fault;
  seen: number;
}

export class FakeRegistry implements AsyncDisposable {
  readonly requests: RecordedRequest[] = [];
  readonly #server: Server;
  readonly #manifests = new Map<string, Stored>();
  readonly #blobs = new Map<string, Buffer>();
  readonly #paths = new Map<string, { readonly mediaType: string; readonly bytes: Buffer }>();
  readonly #faults: PlannedFault[] = [];
  readonly #tokens = new Map<string, number>();
  #auth: AuthRules | undefined;
  #port = 0;
  readonly #sent = new Map<string, number>();

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => response.destroy(toError(error)));
    });
  }

  /** On a port of its own, or on the one that is given. */
  static async start(port = 0): Promise<FakeRegistry> {
    const registry = new FakeRegistry();
    registry.#port = port;
    await registry.comeBack();
    return registry;
  }

  /** Listens again, on the port that it had. */
  async comeBack(): Promise<void> {
    if (this.#server.listening) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.listen(this.#port, "127.0.0.1", resolve);
    await promise;
    const address: AddressInfo | string | null = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the registry does not listen");
    this.#port = address.port;
  }

  /** Ends all connections; whoever comes is refused. */
  async goAway(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }

  /** `127.0.0.1:PORT`, as references have it. */
  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Bytes of all bodies that were handed to the system for sending, whether or not they arrived. */
  get sentBytes(): number {
    return this.sentOf(/^/);
  }

  /** The same of the paths that match. */
  sentOf(path: RegExp): number {
    return [...this.#sent].reduce((sum, [sent, bytes]) => (path.test(sent) ? sum + bytes : sum), 0);
  }

  /** Puts an image into a repository, under a tag where one is given, and always under its digest. */
  add(repository: string, tag: string | undefined, image: FakeImage): void {
    for (const document of image.documents) this.addManifest(repository, document.digest, document);
    if (tag !== undefined) this.addManifest(repository, tag, image.root);
    for (const { digest, bytes } of image.blobs) this.addBlob(repository, digest, bytes);
  }

  addManifest(repository: string, name: string, document: Stored): void {
    this.#manifests.set(`/v2/${repository}/manifests/${name}`, document);
  }

  addBlob(repository: string, digest: string, bytes: Buffer): void {
    this.#blobs.set(`/v2/${repository}/blobs/${digest}`, bytes);
  }

  removeBlob(repository: string, digest: string): void {
    this.#blobs.delete(`/v2/${repository}/blobs/${digest}`);
  }

  /** Serves bytes at any path: the storage host that blobs are redirected to. */
  serve(path: string, bytes: Buffer, mediaType = "application/octet-stream"): void {
    this.#paths.set(path, { bytes, mediaType });
  }

  fault(match: FaultMatch, fault: Fault): void {
    this.#faults.push({ match, fault, seen: 0 });
  }

  /** Forgets all faults that are planned. */
  behave(): void {
    this.#faults.length = 0;
  }

  requireAuth(rules: AuthRules): void {
    this.#auth = rules;
  }

  /** Requests whose path matches, in order. */
  asked(path: RegExp): readonly RecordedRequest[] {
    return this.requests.filter((request) => path.test(request.path));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.goAway();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const recorded = await record(request);
    this.requests.push(recorded);
    const fault = this.#strike(recorded);
    if (fault.reset === true) return void response.destroy();
    if (fault.hang === true) return;
    if (fault.endlessHead !== undefined) return await sendEndlessHead(fault.endlessHead, response);
    const reply = this.#authorized(recorded) ?? this.#answer(recorded);
    applyRange(reply, recorded, fault);
    applyFault(reply, fault);
    await send(reply, recorded.method, fault, response, (bytes) => {
      this.#sent.set(recorded.path, (this.#sent.get(recorded.path) ?? 0) + bytes);
    });
    if (fault.goesAway === true) await this.goAway();
  }

  #strike(request: RecordedRequest): Fault {
    for (const planned of this.#faults) {
      const {
        method = request.method,
        path = /^/,
        skip = 0,
        times = Number.POSITIVE_INFINITY,
      } = planned.match;
      if (method !== request.method || !path.test(request.path)) continue;
      planned.seen++;
      if (planned.seen > skip && planned.seen <= skip + times) return planned.fault;
    }
    return {};
  }

  #answer({ path, method }: RecordedRequest): Reply {
    const manifest = this.#manifests.get(path);
    if (manifest !== undefined) {
      const { bytes, mediaType, digest } = manifest;
      return reply(200, { "content-type": mediaType, "docker-content-digest": digest }, bytes);
    }
    const blob = this.#blobs.get(path);
    if (blob !== undefined) return reply(200, { "content-type": "application/octet-stream" }, blob);
    const other = this.#paths.get(path);
    if (other !== undefined) return reply(200, { "content-type": other.mediaType }, other.bytes);
    if (path === "/v2/") return json(200, {});
    const code = path.includes("/manifests/") ? "MANIFEST_UNKNOWN" : "BLOB_UNKNOWN";
    return json(404, { errors: [{ code, message: `${method} ${path}: not here` }] });
  }

  /** A refusal, the token server's answer, or undefined where the request may pass. */
  #authorized(request: RecordedRequest): Reply | undefined {
    const rules = this.#auth;
    if (rules === undefined) return undefined;
    if (request.path === "/token") return this.#giveToken(request, rules);
    if (!request.path.startsWith("/v2/")) return undefined;
    const sent = request.headers["authorization"] ?? "";
    if (rules.scheme === "basic" ? sent === basicOf(rules) : this.#spendToken(sent)) return undefined;
    const usual =
      rules.scheme === "basic"
        ? 'Basic realm="fake"'
        : 'Bearer realm="http://{host}/token",service="fake",scope="repository:any:pull"';
    const challenges = (rules.challenges ?? [usual]).map((text) => text.replaceAll("{host}", this.host));
    const refusal = json(401, { errors: [{ code: "UNAUTHORIZED", message: "authentication required" }] });
    refusal.headers["www-authenticate"] = challenges;
    return refusal;
  }

  #giveToken(request: RecordedRequest, rules: AuthRules): Reply {
    if (request.method === "POST") {
      if (rules.identity === undefined) return json(rules.noPostStatus ?? 404, {});
      const known = [rules.identity, rules.nextIdentity].includes(request.form.get("refresh_token") ?? "");
      if (!known || request.form.get("grant_type") !== "refresh_token") return json(401, { details: "no" });
    } else if (rules.user !== undefined && request.headers["authorization"] !== basicOf(rules)) {
      return json(401, { details: "incorrect username or password" });
    }
    const token = `${rules.tokenPrefix ?? "token-"}${this.#tokens.size + 1}`;
    this.#tokens.set(`Bearer ${token}`, rules.uses ?? Number.POSITIVE_INFINITY);
    const life = rules.expiresIn === undefined ? {} : { expires_in: rules.expiresIn };
    const next = rules.nextIdentity === undefined ? {} : { refresh_token: rules.nextIdentity };
    return json(200, { [rules.tokenField ?? "token"]: token, ...life, ...next });
  }

  #spendToken(header: string): boolean {
    const left = this.#tokens.get(header);
    if (left === undefined || left === 0) return false;
    this.#tokens.set(header, left - 1);
    return true;
  }
}

function basicOf({ user }: AuthRules): string {
  return `Basic ${Buffer.from(`${user?.name ?? ""}:${user?.password ?? ""}`).toString("base64")}`;
}

async function record(request: IncomingMessage): Promise<RecordedRequest> {
  const form = new URLSearchParams(request.method === "POST" ? await text(request) : "");
  const url = new URL(request.url ?? "/", "http://fake");
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  );
  return { method: request.method ?? "", path: url.pathname, query: url.searchParams, headers, form };
}

function reply(status: number, headers: Record<string, string>, body: Buffer): Reply {
  return { status, headers, body };
}

function json(status: number, value: unknown): Reply {
  return reply(status, { "content-type": "application/json" }, Buffer.from(JSON.stringify(value)));
}

function applyRange(reply: Reply, { headers, path }: RecordedRequest, fault: Fault): void {
  const match = /^bytes=(\d+)-$/.exec(headers["range"] ?? "");
  if (match === null || reply.status !== 200 || !path.includes("/blobs/") || fault.ignoreRange === true)
    return;
  const start = Number(match[1]);
  const total = reply.body.length;
  if (start >= total) {
    Object.assign(reply, json(416, {}));
    return;
  }
  reply.status = 206;
  reply.headers["content-range"] = `bytes ${start}-${total - 1}/${total}`;
  const shift = fault.shiftRange ?? 0;
  reply.body = Buffer.concat([reply.body.subarray(start + shift), reply.body.subarray(0, shift)]);
}

function applyFault(reply: Reply, fault: Fault): void {
  reply.status = fault.status ?? reply.status;
  reply.body = fault.body === undefined ? reply.body : Buffer.from(fault.body);
  if (fault.status !== undefined && fault.status >= 300 && fault.body === undefined)
    reply.body = Buffer.alloc(0);
  if (fault.chunked !== true && fault.endless === undefined) {
    reply.headers["content-length"] = String(reply.body.length);
  }
  Object.assign(reply.headers, fault.headers);
}

async function send(
  reply: Reply,
  method: string,
  fault: Fault,
  response: ServerResponse,
  onSent: (bytes: number) => void,
): Promise<void> {
  for (const [name, value] of Object.entries(reply.headers)) {
    if (value !== undefined) response.setHeader(name, value);
  }
  // Lies about the length are what some tests are about.
  response.strictContentLength = false;
  response.writeHead(reply.status);
  if (method === "HEAD") return void response.end();
  response.flushHeaders();
  if (fault.silentBody === true) return;
  const step = fault.drip?.bytes ?? 64 * 1024;
  const from = Number(/^bytes (\d+)-/.exec(String(reply.headers["content-range"]))?.[1] ?? 0);
  const end = Math.min(reply.body.length, fault.cutAfter ?? reply.body.length);
  for (let at = 0; at < end; at += step) {
    const piece = reply.body.subarray(at, Math.min(end, at + step));
    while (fault.window !== undefined && !response.destroyed) {
      if (from + at + piece.length <= fault.window.arrived() + fault.window.bytes) break;
      await delay(1);
    }
    await write(response, piece);
    if (response.destroyed) return;
    onSent(piece.length);
    if (fault.drip !== undefined) await delay(fault.drip.everyMs);
  }
  while (fault.endless !== undefined && !response.destroyed) {
    await write(response, fault.endless);
    onSent(fault.endless.length);
    // Writes can end without a turn of the event loop, in which alone the client is seen to leave.
    await nextTurn();
  }
  if (fault.cutAfter === undefined) return void response.end();
  // What was written has to leave first, or the client sees a connection that was never used.
  await delay(5);
  response.destroy();
}

async function sendEndlessHead(
  { piece, everyMs }: { readonly piece: string; readonly everyMs: number },
  { socket }: ServerResponse,
): Promise<void> {
  if (socket === null) return;
  socket.write("HTTP/1.1 200 OK\r\n");
  for (let at = 0; !socket.destroyed; at++) {
    socket.write(piece.replaceAll("{n}", String(at)));
    await delay(everyMs);
  }
}

async function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once("close", resolve);
  response.write(bytes, () => resolve());
  await promise;
  response.off("close", resolve);
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
