import { paced, type BandwidthLimit } from "../base/bandwidth.ts";
import type { Digest } from "../base/digest.ts";
import { BangerError } from "../base/error.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import { systemClock, type Clock } from "../base/retry.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { BlobStream, SourceOptions } from "../oci/image-source.ts";
import { blobStream } from "./blob-stream.ts";
import { statusError } from "./error-body.ts";
import type { HttpResponse } from "./response.ts";
import type { Transport } from "./transport.ts";
import { webTransport, type WebOptions } from "./web-transport.ts";

const op = "fetch file";

/**
 * A file on a web server, whose digest is known beforehand. Its bytes are verified by who takes them. Dispose of it
 * once nothing reads from it any more.
 */
export class WebFile implements AsyncDisposable {
  readonly #url: URL;
  readonly #limits: Limits;
  readonly #clock: Clock;
  readonly #transport: Transport;
  readonly #bandwidth: BandwidthLimit | undefined;
  /** The answer that told the size; the first to open the file from its start takes it over. */
  #first: HttpResponse | undefined;

  constructor(url: URL, options: WebOptions = {}) {
    this.#url = url;
    this.#limits = options.limits ?? defaultLimits;
    this.#clock = options.clock ?? systemClock;
    this.#transport = webTransport(url, options);
    this.#bandwidth = options.bandwidth;
  }

  /**
   * Asks for the file, and what the server says of its size.
   *
   * @param size what it should be, where that is known
   * @throws BangerError SOURCE_UNKNOWN; SIZE_MISMATCH; REGISTRY_PROTOCOL where nobody knows the size; and those of the
   *   transport
   */
  async describe(digest: Digest, size: number | undefined, options: SourceOptions): Promise<Descriptor> {
    const response = await this.#get(0, options, async (answer) => answer);
    const header = response.header("content-length") ?? "";
    const said = /^\d{1,15}$/.test(header) ? Number(header) : undefined;
    const actual = said ?? size;
    if (actual === undefined || actual !== (size ?? actual)) {
      response.discard();
      throw actual === undefined ? this.#sizeUnknown() : this.#sizeDiffers(actual, size ?? 0);
    }
    this.#discardFirst();
    this.#first = response;
    return { mediaType: "application/octet-stream", digest, size: actual };
  }

  /** As `ImageSource.openBlob`. */
  async openBlob(descriptor: Descriptor, offset: number, options: SourceOptions): Promise<BlobStream> {
    const stream = await this.#open(descriptor, offset, options);
    if (this.#bandwidth === undefined) return stream;
    return { ...stream, body: paced(stream.body, this.#bandwidth, options.signal) };
  }

  async #open(descriptor: Descriptor, offset: number, options: SourceOptions): Promise<BlobStream> {
    const first = this.#first;
    this.#first = undefined;
    if (first !== undefined && offset === 0) return blobStream(first, descriptor, 0);
    first?.discard();
    return await this.#get(offset, options, async (response) => {
      if (response.status !== 416) return blobStream(response, descriptor, offset);
      // What we have is past the end of what it has: from the start then, and the digest decides.
      response.discard();
      return await this.#open(descriptor, 0, options);
    });
  }

  /** A 200; from an offset on also a 206 or 416. */
  async #get<T>(
    offset: number,
    options: SourceOptions,
    consume: (response: HttpResponse) => Promise<T>,
  ): Promise<T> {
    const asked = { subject: `file ${this.#name}`, op };
    const headers = {
      ...(offset === 0 ? {} : { range: `bytes=${offset}-` }),
      // As for a registry's blobs, which say why: a body that is read slowly must not lose its end.
      ...(this.#bandwidth?.bytesPerSecond === undefined ? {} : { connection: "close" }),
    };
    return await this.#transport.send({ url: this.#url, headers, ...asked }, options, async (response) => {
      const { status } = response;
      if (status === 200 || (offset > 0 && (status === 206 || status === 416)))
        return await consume(response);
      const error = await statusError(response, asked, this.#limits, this.#clock.now());
      if (status !== 404 && status !== 410) throw error;
      throw new BangerError("SOURCE_UNKNOWN", `${this.#url.host} has no file ${this.#name}`, {
        op,
        cause: error,
        hint: "Check the URL: distributions take old versions of a package away.",
        facts: { httpStatus: String(status) },
      });
    });
  }

  #sizeUnknown(): BangerError {
    const message = `${this.#url.host} does not say how long ${this.#name} is`;
    const hint = "Give its size in the catalog, or have it served as a static file.";
    return new BangerError("REGISTRY_PROTOCOL", message, { op, hint });
  }

  #sizeDiffers(actual: number, expected: number): BangerError {
    const message = `${this.#name} has ${actual} bytes at ${this.#url.host}, not ${expected}`;
    return new BangerError("SIZE_MISMATCH", message, { op });
  }

  /** Without the query, which may hold a signature. */
  get #name(): string {
    return this.#url.pathname;
  }

  #discardFirst(): void {
    this.#first?.discard();
    this.#first = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#discardFirst();
    await this.#transport[Symbol.asyncDispose]();
  }
}
