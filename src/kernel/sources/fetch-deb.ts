import { open, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { Digester, parseDigest, type Digest } from "../../base/digest.ts";
import { BangerError, asBangerError } from "../../base/error.ts";
import { openRegular } from "../../registry/file-tree.ts";
import { findDebData } from "../archive/deb.ts";
import type { ArMember } from "../archive/ar.ts";
import { unpackTars } from "../archive/unpack.ts";
import { chooseFiles, isWantedOfPackage } from "../kernel-files.ts";
import { isUrl } from "../kernel-ref.ts";
import type { FetchedKernel, KernelSource } from "../kernel-source.ts";
import { digestMismatch, tooLargeToFetch, type SourceDeps, type SourceJob } from "./fetch-blob.ts";
import { fetchUrl } from "./fetch-url.ts";
import { fileOf, modulesOf, noModules } from "./kernel-tree.ts";

type DebSource = Extract<KernelSource, { kind: "deb" }>;

const op = "fetch kernel";
const pieceBytes = 1024 * 1024;

/**
 * Takes the kernel and its modules out of a Debian package. Nothing in the package is run, its scripts are not even
 * unpacked.
 *
 * @throws BangerError SOURCE_UNKNOWN, DIGEST_MISMATCH, KERNEL_SOURCE_INVALID, XZ_MISSING, LIMIT_*, and those of the
 *   transport
 */
export async function fetchDeb(deps: SourceDeps, source: DebSource, job: SourceJob): Promise<FetchedKernel> {
  const { folder, subject, signal } = job;
  using _pin = deps.blobs.pins.pin(source.sha256 === undefined ? [] : [digestOf(source.sha256)]);
  const packed = await bringPackage(deps, source, job);
  const data = join(folder, "data.tar");
  await takeData(packed.path, data, job);
  const { path, digest } = packed;
  const { limits } = deps;
  const tree = join(folder, "tree");
  const inflateJob = { path: data, digest, subject, signal, limits, package: path };
  const unpacked = await unpackTars([inflateJob], tree, isWantedOfPackage);
  await rm(data);
  if (packed.copied) await rm(path);
  const files = chooseFiles([...unpacked.made.keys()], {}, subject, unpacked.seen, hintWithout);
  const place = { folder: tree, unpacked };
  return {
    kernelPath: fileOf(place, files.kernel, subject),
    initrdPath: files.initrd === undefined ? undefined : fileOf(place, files.initrd, subject),
    ...(files.modules === undefined ? noModules : modulesOf(place, files.modules, files, subject)),
    source: subject,
  };
}

const hintWithout =
  "Take the package that has it: linux-image-amd64 and its like only depend on one, as `apt-cache depends` shows.";

interface Package {
  readonly path: string;
  readonly digest: Digest;
  /** It lies in the caller's folder, and not in the cache. */
  readonly copied: boolean;
}

async function bringPackage(deps: SourceDeps, source: DebSource, job: SourceJob): Promise<Package> {
  const { location, sha256, size } = source;
  if (!isUrl(location)) return await copyPackage(source, deps.limits.kernelBytes, job);
  if (sha256 === undefined) {
    throw new BangerError("REFERENCE_INVALID", `${job.subject} is a URL without its digest`, {
      op,
      hint: `Add what \`sha256sum\` says of that file, as its publisher has it: deb:${location}@sha256:…`,
    });
  }
  const path = await fetchUrl(deps, { url: location, sha256, ...(size === undefined ? {} : { size }) }, job);
  return { path, digest: digestOf(sha256), copied: false };
}

function digestOf(sha256: string): Digest {
  return parseDigest(`sha256:${sha256}`, op);
}

/** A file that others may write to while it is read: what is verified, and used, is a copy. */
async function copyPackage(source: DebSource, limit: number, job: SourceJob): Promise<Package> {
  const { folder, signal, subject, onProgress } = job;
  await using from = await openPackage(source.location);
  const { size: totalBytes } = await from.stat();
  if (totalBytes > limit) throw tooLargeToFetch(subject, totalBytes, limit);
  const path = join(folder, "package.deb");
  const digester = new Digester();
  await copyPart(from, { start: 0, size: totalBytes }, path, signal, (piece, doneBytes) => {
    digester.update(piece);
    onProgress({ doneBytes, totalBytes });
  });
  const actual = digester.digest();
  const expected = source.sha256 === undefined ? actual : `sha256:${source.sha256}`;
  if (actual !== expected) throw digestMismatch(subject, expected, actual);
  return { path, digest: actual, copied: true };
}

async function openPackage(path: string): Promise<FileHandle> {
  const handle = await openRegular(path, op);
  if (handle !== undefined) return handle;
  throw new BangerError("SOURCE_UNKNOWN", `there is no file ${path}`, {
    op,
    hint: "Check the path; it is the daemon that reads it, on its machine and as its user.",
  });
}

async function takeData(path: string, target: string, { subject, signal }: SourceJob): Promise<void> {
  await using file = await open(path, "r");
  const { size } = await file.stat();
  const read = async (buffer: Buffer, at: number): Promise<number> =>
    (await file.read(buffer, 0, buffer.length, at)).bytesRead;
  const member = await findDebData({ size, read }, subject);
  await copyPart(file, member, target, signal, () => {});
}

/** Part of a file as a new file; it ends where the file does, should that be cut short meanwhile. */
async function copyPart(
  from: FileHandle,
  { start, size }: Pick<ArMember, "start" | "size">,
  target: string,
  signal: AbortSignal,
  onPiece: (piece: Buffer, doneBytes: number) => void,
): Promise<void> {
  await using to = await open(target, "wx", 0o600);
  const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(pieceBytes, size)));
  for (let done = 0; done < size;) {
    if (signal.aborted) throw asBangerError(signal.reason, op);
    const wanted = Math.min(buffer.length, size - done);
    const { bytesRead } = await from.read(buffer, 0, wanted, start + done);
    if (bytesRead === 0) return;
    const piece = buffer.subarray(0, bytesRead);
    await to.writeFile(piece);
    done += bytesRead;
    onPiece(piece, done);
  }
}
