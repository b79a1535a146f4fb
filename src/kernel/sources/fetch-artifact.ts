import { posix } from "node:path";
import type { Artifact, ArtifactFile, ArtifactSource } from "../../oci/artifact.ts";
import { parsePlatform } from "../../oci/platform.ts";
import { openArtifact } from "../../registry/open-source.ts";
import { checkSignature } from "../../signature/check-signature.ts";
import { listed, sourceFault } from "../archive/archive-fault.ts";
import { chooseFiles, isKernel } from "../kernel-files.ts";
import type { FetchedKernel, KernelFileNames, KernelSource } from "../kernel-source.ts";
import { openBundle, openLayers, openModules, placeFile, type BundleBlob, type BundleJob } from "./bundle.ts";
import { fetchBlob, type SourceDeps, type SourceJob } from "./fetch-blob.ts";
import { noModules } from "./kernel-tree.ts";

type ArtifactPlace = Extract<KernelSource, { kind: "artifact" }>;

/**
 * Brings the kernel of an artifact: files by their titles (`kernel`, `initrd`, `modules.tar…`), as `oras push` makes
 * them; or one file that is an archive of those; or layers that unpack to them, as of an image. Only blobs that are
 * needed are fetched, and none before the artifact is known to be signed where a policy asks for that.
 *
 * @param architecture as OCI names it: which of an index is meant
 * @throws BangerError KERNEL_SOURCE_INVALID, which lists what the artifact has where something is missing;
 *   PLATFORM_UNKNOWN, SIGNATURE_*, MANIFEST_*, DIGEST_MISMATCH, LIMIT_*, and those of the registry
 */
export async function fetchArtifact(
  deps: SourceDeps,
  source: ArtifactPlace,
  architecture: string,
  job: SourceJob,
): Promise<FetchedKernel> {
  const { limits, clock, access } = deps;
  const { signal, subject, folder } = job;
  await using place = openArtifact(source.reference, { ...access, limits, clock });
  const platform = parsePlatform(`linux/${architecture}`);
  const asking = { signal, onRetry: () => {} };
  const artifact = await place.resolveArtifact(platform, asking);
  const policies = deps.signaturePolicies?.() ?? [];
  await checkSignature({ ...asking, image: artifact, policies, documents: place.documents, limits });
  using _pins = deps.blobs.pins.pin(artifact.files.map(({ descriptor }) => descriptor.digest));
  const { files = {} } = source;
  const bundle: BundleJob = { folder, files, inflate: { subject, signal, limits } };
  const titled = titledFiles(artifact, files);
  if (titled !== undefined && [...titled.keys()].some((title) => isKernel(title, files))) {
    return await fetchTitled(deps, place, titled, bundle, job);
  }
  const [first, ...rest] = artifact.files;
  if (first === undefined) throw sourceFault(subject, "has nothing in it");
  // Several titled files and no kernel among them: this says so, and what there is.
  if (titled !== undefined && rest.length > 0) chooseFiles([...titled.keys()], files, subject);
  const fetcher = new BlobFetcher(deps, place, artifact.files, job);
  const blob = await fetcher.fetch(first);
  if (rest.length === 0) return await openBundle(blob, bundle);
  const blobs: BundleBlob[] = [];
  for (const file of rest) blobs.push(await fetcher.fetch(file));
  return await openLayers([blob, ...blobs], bundle);
}

async function fetchTitled(
  deps: SourceDeps,
  place: ArtifactSource,
  titled: ReadonlyMap<string, ArtifactFile>,
  bundle: BundleJob,
  job: SourceJob,
): Promise<FetchedKernel> {
  const { subject, folder } = job;
  const names = chooseFiles([...titled.keys()], bundle.files, subject);
  const [kernel, initrd, modules] = [names.kernel, names.initrd, names.modules].map((name) =>
    name === undefined ? undefined : titled.get(name),
  );
  if (kernel === undefined) throw sourceFault(subject, "has no kernel");
  const needed = [kernel, initrd, modules].filter((file) => file !== undefined);
  const fetcher = new BlobFetcher(deps, place, needed, job);
  const bring = async (file: ArtifactFile | undefined, name: string): Promise<string | undefined> =>
    file === undefined ? undefined : await placeFile((await fetcher.fetch(file)).path, folder, name);
  return {
    kernelPath: await placeFile((await fetcher.fetch(kernel)).path, folder, "kernel"),
    initrdPath: await bring(initrd, "initrd"),
    ...(modules === undefined
      ? noModules
      : await openModules(await fetcher.fetch(modules), bundle, names.kernel)),
    source: subject,
  };
}

/**
 * Files by their titles, where all have one. `oras push` titles a file with the path that it was given: the last part
 * of it is the file's name, unless two files have the same, or the names asked for are whole paths.
 */
function titledFiles(
  { files }: Artifact,
  names: KernelFileNames,
): ReadonlyMap<string, ArtifactFile> | undefined {
  const titled = new Map<string, ArtifactFile>();
  for (const file of files) {
    if (file.title === undefined) return undefined;
    titled.set(posix.normalize(file.title), file);
  }
  const short = new Map([...titled].map(([title, file]) => [posix.basename(title), file]));
  const wholePaths = [names.kernel, names.initrd, names.modules].some((name) => titled.has(name ?? ""));
  return wholePaths || short.size < titled.size ? titled : short;
}

/** Fetches blobs one after the other, and tells how many of all their bytes are here. */
class BlobFetcher {
  readonly #deps: SourceDeps;
  readonly #place: ArtifactSource;
  readonly #job: SourceJob;
  readonly #totalBytes: number;
  #before = 0;

  constructor(deps: SourceDeps, place: ArtifactSource, files: readonly ArtifactFile[], job: SourceJob) {
    this.#deps = deps;
    this.#place = place;
    this.#job = job;
    this.#totalBytes = files.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
    if (this.#totalBytes > deps.limits.kernelBytes) {
      const titles = files.map(({ title }) => title ?? "a layer");
      throw sourceFault(
        job.subject,
        `has ${this.#totalBytes} bytes, more than are allowed: ${listed(titles)}`,
      );
    }
  }

  async fetch({ descriptor }: ArtifactFile): Promise<BundleBlob> {
    const totalBytes = this.#totalBytes;
    const open = (offset: number, signal: AbortSignal) =>
      this.#place.openBlob(descriptor, offset, { signal, onRetry: () => {} });
    const path = await fetchBlob(this.#deps, this.#job, descriptor, open, (done) =>
      this.#job.onProgress({ doneBytes: this.#before + done, totalBytes }),
    );
    this.#before += descriptor.size;
    return { path, digest: descriptor.digest };
  }
}
