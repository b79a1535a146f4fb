import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, hasReason } from "../base/error.ts";
import { makeDir, writeAtomic } from "../base/files.ts";
import { parseJson } from "../base/json.ts";
import { jsonText } from "../base/json-text.ts";
import type { Limits } from "../base/limits.ts";
import { headerValue, type Validators } from "../registry/web-document.ts";

/** A catalog as its server sent it, and when. */
export interface CatalogCopy {
  readonly bytes: Buffer;
  readonly validators: Validators;
  /** When the server last said that this is what it has: milliseconds since 1970. */
  readonly confirmedAt: number;
}

const newline = 0x0a;
/** Room for the first line of a copy's file. */
const headBytes = 16 * 1024;

/**
 * Copies of fetched catalogs, one file each in `<cache>/kernels/catalogs`: a line of JSON that says what it is, and
 * then the document, byte for byte. A copy that is damaged, or another URL's, is none.
 */
export class CatalogCopies {
  readonly #folder: string;
  readonly #limits: Pick<Limits, "catalogBytes">;

  constructor(cacheDir: string, limits: Pick<Limits, "catalogBytes">) {
    this.#folder = join(cacheDir, "kernels", "catalogs");
    this.#limits = limits;
  }

  /** @throws a system error where it is there and can't be read */
  async read(url: string): Promise<CatalogCopy | undefined> {
    const path = this.#pathOf(url);
    try {
      const { size } = await stat(path);
      if (size > this.#limits.catalogBytes + headBytes) return undefined;
      return parseCopy(await readFile(path), url);
    } catch (error) {
      // What is in the folder's place shows when a copy is written.
      if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "") || hasReason(error, "INTERNAL"))
        return undefined;
      throw error;
    }
  }

  /** Atomic and durable. @throws a system error */
  async write(url: string, { bytes, validators, confirmedAt }: CatalogCopy): Promise<void> {
    await makeDir(this.#folder);
    const head = jsonText({ url, ...validators, confirmedAt, sha256: sha256(bytes) });
    await writeAtomic(this.#pathOf(url), Buffer.concat([Buffer.from(`${head}\n`), bytes]));
  }

  #pathOf(url: string): string {
    return join(this.#folder, sha256(Buffer.from(url)));
  }
}

/** @throws BangerError INTERNAL for what we can't have written */
function parseCopy(file: Buffer, url: string): CatalogCopy | undefined {
  const end = file.indexOf(newline);
  if (end < 0) return undefined;
  const context = { reason: "INTERNAL", op: "read catalog copy", subject: "the copy" } as const;
  const head = parseJson(file.subarray(0, end), context);
  const bytes = file.subarray(end + 1);
  if (head.at("url").text() !== url || head.at("sha256").text() !== sha256(bytes)) return undefined;
  const etag = headerValue(head.at("etag").optionalText());
  const lastModified = headerValue(head.at("lastModified").optionalText());
  return {
    bytes,
    validators: {
      ...(etag === undefined ? {} : { etag }),
      ...(lastModified === undefined ? {} : { lastModified }),
    },
    confirmedAt: head.at("confirmedAt").natural(),
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
