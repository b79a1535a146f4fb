import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { algorithmOf, hexOf } from "../base/digest.ts";
import { BangerError, asBangerError, errnoOf } from "../base/error.ts";
import { parseJson } from "../base/json.ts";
import type { Limits } from "../base/limits.ts";
import { chooseFromEntries, tooLarge } from "../oci/choose.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { parseIndex, type IndexEntry } from "../oci/image-index.ts";
import type { BlobStream, ImageSource, ResolvedImage, SourceOptions } from "../oci/image-source.ts";
import type { Platform } from "../oci/platform.ts";
import { formatSourceReference, type LayoutReference } from "../oci/source-reference.ts";
import { embeddedBlob } from "./blob-stream.ts";

const op = "read image layout";
const pieceBytes = 256 * 1024;

/** An image in a folder: OCI image-spec, image-layout.md. */
export class LayoutSource implements ImageSource {
  readonly #reference: LayoutReference;
  readonly #limits: Limits;

  /** `reference.path` is absolute. */
  constructor(reference: LayoutReference, limits: Limits) {
    this.#reference = reference;
    this.#limits = limits;
  }

  async resolve(platform: Platform, options: SourceOptions): Promise<ResolvedImage> {
    if (options.signal.aborted) throw asBangerError(options.signal.reason, op);
    const reference = formatSourceReference(this.#reference);
    const entries = selectEntries(await this.#readIndex(), this.#reference);
    const reader = {
      manifest: async (descriptor: Descriptor) => {
        return { bytes: await this.#readBlob(descriptor), mediaType: descriptor.mediaType };
      },
      config: (descriptor: Descriptor) => this.#readBlob(descriptor),
    };
    const chosen = await chooseFromEntries(entries, platform, reference, reader, this.#limits);
    const tag = this.#reference.digest === undefined ? (this.#reference.tag ?? tagOf(entries)) : undefined;
    return { reference, repository: `oci:${this.#reference.path}`, tag, ...chosen };
  }

  /** The file is opened when the body is read, so that a body nobody reads holds nothing. */
  async openBlob(descriptor: Descriptor, offset: number, options: SourceOptions): Promise<BlobStream> {
    if (descriptor.data !== undefined) return embeddedBlob(descriptor.data, offset);
    const body = readFrom(() => this.#openBlobFile(descriptor), offset, options.signal);
    return { offset, body, from: this.#reference.path };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Every file is closed by whoever reads it.
  }

  async #readIndex(): Promise<readonly IndexEntry[]> {
    const path = join(this.#reference.path, "index.json");
    const handle = await openRegular(path, () => {
      return new BangerError("SOURCE_UNKNOWN", `there is no OCI image layout at ${this.#reference.path}`, {
        op,
        hint: "Give the folder that holds index.json and blobs/.",
      });
    });
    const bytes = await readBounded(handle, this.#limits.documentBytes, path);
    const root = parseJson(bytes, { reason: "MANIFEST_INVALID", op, subject: path });
    return parseIndex(root, path, this.#limits);
  }

  async #readBlob(descriptor: Descriptor): Promise<Uint8Array> {
    const handle = await this.#openBlobFile(descriptor);
    return await readBounded(handle, descriptor.size, `blob ${descriptor.digest}`);
  }

  /** @throws BangerError BLOB_UNKNOWN; SIZE_MISMATCH before a byte is read */
  async #openBlobFile({ digest, size }: Descriptor): Promise<FileHandle> {
    const folder = this.#reference.path;
    const handle = await openRegular(join(folder, "blobs", algorithmOf(digest), hexOf(digest)), () => {
      return new BangerError("BLOB_UNKNOWN", `the image layout ${folder} has no blob ${digest}`, {
        op,
        hint: "The layout is incomplete; copy the image again.",
        facts: { digest },
      });
    });
    const actual = (await handle.stat()).size;
    if (actual === size) return handle;
    await handle.close();
    throw new BangerError("SIZE_MISMATCH", `blob ${digest} has ${actual} bytes in ${folder}, not ${size}`, {
      op,
      facts: { digest },
    });
  }
}

/** The entries that a reference can mean. @throws BangerError SOURCE_UNKNOWN */
function selectEntries(entries: readonly IndexEntry[], reference: LayoutReference): readonly IndexEntry[] {
  const { path, tag, digest } = reference;
  if (digest !== undefined) {
    const found = entries.filter(({ descriptor }) => descriptor.digest === digest);
    if (found.length > 0) return found;
    throw unknownEntry(`the image layout ${path} lists no ${digest}`, entries);
  }
  if (tag !== undefined) {
    const exact = entries.filter(({ refName }) => refName === tag);
    // containerd and nerdctl write the whole name where the spec's examples have the tag alone.
    const found = exact.length > 0 ? exact : entries.filter(({ refName }) => refName?.endsWith(`:${tag}`));
    if (found.length > 0) return found;
    throw unknownEntry(`the image layout ${path} has no image named ${JSON.stringify(tag)}`, entries);
  }
  if (new Set(entries.map(({ refName }) => refName)).size <= 1) return entries;
  throw unknownEntry(`the image layout ${path} has several images`, entries);
}

function unknownEntry(message: string, entries: readonly IndexEntry[]): BangerError {
  const names = [...new Set(entries.map(({ refName }) => refName ?? ""))].filter((name) => name !== "");
  const list = names.slice(0, 20).map((name) => JSON.stringify(name));
  return new BangerError("SOURCE_UNKNOWN", `${message}; it names ${list.join(", ") || "none"}`, {
    op,
    hint: "Name one as oci:DIR:TAG, or by its digest as oci:DIR@sha256:….",
  });
}

/** The tag that the only image has, which its default name is made of. */
function tagOf(entries: readonly IndexEntry[]): string {
  const refName = entries[0]?.refName ?? "";
  return refName.slice(refName.lastIndexOf(":") + 1) || "latest";
}

/** Opens a regular file; O_NONBLOCK so that a FIFO in its place does not hold us for ever. */
async function openRegular(path: string, missing: () => BangerError): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const code = errnoOf(error);
    throw code === "ENOENT" || code === "ENOTDIR" ? missing() : asBangerError(error, op);
  }
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw missing();
}

async function readBounded(handle: FileHandle, limit: number, what: string): Promise<Uint8Array> {
  await using file = handle;
  const { size } = await file.stat();
  if (size > limit) throw tooLarge(`${what} has ${size} bytes`, limit);
  const bytes = Buffer.alloc(size);
  const { bytesRead } = await file.read(bytes, 0, size, 0);
  return bytes.subarray(0, bytesRead);
}

async function* readFrom(
  openFile: () => Promise<FileHandle>,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  await using file = await openFile();
  for (let at = offset; ;) {
    if (signal.aborted) throw asBangerError(signal.reason, op);
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(pieceBytes), 0, pieceBytes, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
