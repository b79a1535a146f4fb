import { closeSync, openSync, writeSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { CleanPath } from "../../layers/entry-path.ts";
import { blockBytes, checksums, field } from "../../layers/tar/header.ts";
import { numberField } from "../../layers/tar/number-field.ts";
import { TarReader } from "../../layers/tar/tar-reader.ts";
import { asSourceFault, sourceFault } from "./archive-fault.ts";
import { inflate, type InflateJob } from "./inflate.ts";
import { UnpackFolder } from "./unpack-folder.ts";

/**
 * Unpacks the wanted entries of tar archives into `folder`, which is made here, one after the other.
 *
 * @returns what was unpacked; nothing of it is open
 * @throws BangerError those of `inflate` and `UnpackFolder`
 */
export async function unpackTars(
  jobs: readonly [InflateJob, ...InflateJob[]],
  folder: string,
  wanted: (path: CleanPath) => boolean,
): Promise<UnpackFolder> {
  await mkdir(folder, { mode: 0o755 });
  const [{ subject, limits }] = jobs;
  using unpacked = new UnpackFolder(folder, wanted, subject, limits);
  for (const job of jobs) {
    const reader = new TarReader(unpacked, job.digest, job.limits);
    await read(
      job,
      (piece) => reader.push(piece),
      () => reader.end(),
    );
  }
  return unpacked;
}

/** What a file turned out to be: an archive, of which the wanted entries are unpacked, or a file alone. */
export type Opened =
  | { readonly kind: "tar"; readonly unpacked: UnpackFolder }
  | { readonly kind: "file"; readonly path: string };

/**
 * Unpacks a tar archive into `<folder>/tree`, or inflates what is none to `<folder>/kernel`: which it is, the first
 * inflated block tells.
 *
 * @throws BangerError those of `inflate` and `UnpackFolder`
 */
export async function unpackOrInflate(
  job: InflateJob,
  folder: string,
  wanted: (path: CleanPath) => boolean,
): Promise<Opened> {
  const tree = join(folder, "tree");
  const path = join(folder, "kernel");
  await mkdir(tree, { mode: 0o755 });
  using unpacked = new UnpackFolder(tree, wanted, job.subject, job.limits);
  using plain = new PlainFile(path);
  const reader = new TarReader(unpacked, job.digest, job.limits);
  let head = Buffer.alloc(0);
  let kind: Opened["kind"] | undefined;
  const take = (piece: Buffer): void => (kind === "tar" ? reader.push(piece) : plain.write(piece));
  await read(
    job,
    (piece) => {
      if (kind !== undefined) return take(piece);
      head = Buffer.concat([head, piece]);
      if (head.length < blockBytes) return undefined;
      kind = isTarHeader(head) ? "tar" : "file";
      return take(head);
    },
    () => {
      if (kind === undefined) throw sourceFault(job.subject, "is neither a kernel nor an archive of one");
      if (kind === "tar") reader.end();
    },
  );
  return kind === "tar" ? { kind, unpacked } : { kind: "file", path };
}

async function read(job: InflateJob, push: (piece: Buffer) => void, end: () => void): Promise<void> {
  try {
    await inflate(job, push);
    end();
  } catch (error) {
    throw asSourceFault(error, job.subject);
  }
}

/** By its checksum: v7 archives have no magic. */
function isTarHeader(bytes: Buffer): boolean {
  const block = bytes.subarray(0, blockBytes);
  const { start, bytes: length } = field.checksum;
  const said = numberField(block, start, length);
  const { unsigned, signed } = checksums(block);
  return said !== undefined && said !== 0 && (said === unsigned || said === signed);
}

/** Made with its first byte. */
class PlainFile implements Disposable {
  readonly #path: string;
  #file: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  write(piece: Buffer): void {
    this.#file ??= openSync(this.#path, "wx", 0o644);
    for (let done = 0; done < piece.length;) done += writeSync(this.#file, piece, done);
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }
}
