import { hasReason } from "../base/error.ts";
import { untilAborted } from "../base/until-aborted.ts";

/** Bytes of documents that are remembered: a config has a few thousand. */
const maxBytes = 16 * 1024 * 1024;

/**
 * Verified documents by the repository and digest that they were asked for under, so that clients who pull an image at
 * the same time ask the registry for it once. Who may have one was settled by the manifest that names it, which each
 * client fetches with its own credentials.
 */
export class SharedDocuments {
  readonly #known = new Map<string, Uint8Array>();
  readonly #underWay = new Map<string, Promise<Uint8Array>>();
  #bytes = 0;

  /** The document, by `fetch` where nobody else has it or is fetching it. */
  async get(key: string, signal: AbortSignal, fetch: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const other = this.#underWay.get(key);
    if (other === undefined) return await this.#fetch(key, fetch);
    try {
      return await untilAborted(other, signal, "wait for document");
    } catch (error) {
      if (signal.aborted) throw error;
      // Cancelled, or refused with other credentials than ours. Of those who waited, one is the next to be waited for.
      return hasReason(error, "CANCELLED") ? await this.get(key, signal, fetch) : await fetch();
    }
  }

  async #fetch(key: string, fetch: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const fetching = fetch();
    this.#underWay.set(key, fetching);
    try {
      const bytes = await fetching;
      this.#keep(key, bytes);
      return bytes;
    } finally {
      this.#underWay.delete(key);
    }
  }

  /** The oldest go where there are too many. */
  #keep(key: string, bytes: Uint8Array): void {
    this.#known.set(key, bytes);
    this.#bytes += bytes.length;
    for (const [oldest, { length }] of this.#known) {
      if (this.#bytes <= maxBytes) return;
      this.#known.delete(oldest);
      this.#bytes -= length;
    }
  }
}
