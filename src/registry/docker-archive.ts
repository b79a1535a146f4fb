import { Digester, digestOf, isDigest, parseDigest, type Digest } from "../base/digest.ts";
import { BangerError, asBangerError } from "../base/error.ts";
import { parseJson, type JsonNode } from "../base/json.ts";
import type { Limits } from "../base/limits.ts";
import { chooseImage } from "../oci/choose.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { BlobStream, ImageSource, ResolvedImage, SourceOptions } from "../oci/image-source.ts";
import { ociConfig, ociManifest } from "../oci/media-types.ts";
import type { Platform } from "../oci/platform.ts";
import { formatReference, parseReference } from "../oci/reference.ts";
import { formatSourceReference, type DockerArchiveReference } from "../oci/source-reference.ts";
import { ArchiveTree } from "./archive.ts";
import { readPieces, readWhole, type FilePart, type FileTree } from "./file-tree.ts";

const op = "read docker archive";

/** An entry of manifest.json: moby's image/tarexport, `manifestItem`. */
interface SavedImage {
  readonly config: string;
  readonly names: readonly string[];
  readonly layers: readonly string[];
}

/** A layer, and the member that holds it. */
interface SavedLayer {
  readonly member: string;
  readonly descriptor: Descriptor;
}

/**
 * An image in what `docker save` or skopeo writes. There is no manifest in it that registries would know, so one is
 * made: config and layers by their digests, in canonical JSON. Uncompressed layers are known by their diffIDs, which
 * the config vouches for; so the bytes of each are held against a digest as those of any other source.
 */
export class DockerArchiveSource implements ImageSource {
  readonly #reference: DockerArchiveReference;
  readonly #limits: Limits;
  readonly #files: FileTree;
  readonly #members = new Map<Digest, string>();

  /** `reference.path` is absolute. */
  constructor(reference: DockerArchiveReference, limits: Limits) {
    this.#reference = reference;
    this.#limits = limits;
    this.#files = new ArchiveTree(reference.path, limits);
  }

  async resolve(platform: Platform, options: SourceOptions): Promise<ResolvedImage> {
    if (options.signal.aborted) throw asBangerError(options.signal.reason, op);
    const reference = formatSourceReference(this.#reference);
    const saved = await this.#select(await this.#readManifest());
    const config = await this.#readMember(saved.config);
    const layers = await this.#layersOf(saved, config, options.signal);
    for (const { member, descriptor } of layers) this.#members.set(descriptor.digest, member);
    const root = manifestOf(digestOf(config), config.length, layers);
    const reader = {
      manifest: (): Promise<never> =>
        Promise.reject(new BangerError("INTERNAL", "no index was made", { op })),
      config: async () => config,
    };
    const chosen = await chooseImage(root, platform, reference, reader, this.#limits);
    const repository = `docker-archive:${this.#reference.path}`;
    return { reference, repository, tag: tagOf(this.#reference, saved), ...chosen };
  }

  async openBlob(descriptor: Descriptor, offset: number, options: SourceOptions): Promise<BlobStream> {
    const { digest } = descriptor;
    const member = this.#members.get(digest);
    if (member === undefined) throw this.#missing(digest);
    const body = readPieces(() => this.#openMember(member), offset, options.signal, op);
    return { offset, body, from: this.#reference.path };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Every file is closed by whoever reads it.
  }

  async #readManifest(): Promise<readonly SavedImage[]> {
    const { path } = this.#reference;
    const part = await this.#files.open("manifest.json");
    if (part === undefined) {
      throw new BangerError("SOURCE_UNKNOWN", `${path} has no manifest.json`, {
        op,
        hint: "Give what `docker save` wrote; an OCI layout in an archive is an oci-archive:.",
      });
    }
    const subject = `manifest.json of ${path}`;
    const root = parseJson(await readWhole(part, this.#limits, subject), {
      reason: "MANIFEST_INVALID",
      op,
      subject,
    });
    return root.list().map((node) => parseSaved(node, this.#limits));
  }

  /** The only image, or the one of that name. @throws BangerError SOURCE_UNKNOWN */
  async #select(images: readonly SavedImage[]): Promise<SavedImage> {
    const { path, tag } = this.#reference;
    const found = images.filter(({ names }) => tag === undefined || names.some((name) => isNamed(name, tag)));
    const [image] = found;
    if (image !== undefined && found.length === 1) return image;
    const names = images.flatMap((each) => each.names).slice(0, 20);
    const list = names.map((name) => JSON.stringify(name)).join(", ") || "none";
    const problem = found.length === 0 ? "has no such image" : "has several images that this could mean";
    throw new BangerError("SOURCE_UNKNOWN", `${path} ${problem}; it names ${list}`, {
      op,
      hint: "Name one as docker-archive:FILE:NAME:TAG.",
    });
  }

  /** Identifies each layer; those that are compressed have to be read for it. */
  async #layersOf(
    saved: SavedImage,
    config: Uint8Array,
    signal: AbortSignal,
  ): Promise<readonly SavedLayer[]> {
    const subject = `the config of ${this.#reference.path}`;
    const root = parseJson(config, { reason: "MANIFEST_INVALID", op, subject });
    const diffIds = root.at("rootfs").at("diff_ids");
    const ids = diffIds.texts().map((text) => parseDigest(text, op));
    if (ids.length !== saved.layers.length) {
      diffIds.fail(`lists ${ids.length} layers, manifest.json ${saved.layers.length}`);
    }
    const layers: SavedLayer[] = [];
    for (const [at, member] of saved.layers.entries()) {
      const diffId = ids[at];
      if (diffId !== undefined) layers.push(await this.#identify(member, diffId, signal));
    }
    return layers;
  }

  async #identify(member: string, diffId: Digest, signal: AbortSignal): Promise<SavedLayer> {
    await using part = await this.#openMember(member);
    const { size } = part;
    const magic = Buffer.alloc(4);
    await part.read(magic, 0);
    const suffix = compressionOf(magic);
    const mediaType = `application/vnd.oci.image.layer.v1.tar${suffix}`;
    const digest = suffix === "" ? diffId : (named(member) ?? (await digestOfPart(part, signal)));
    return { member, descriptor: { mediaType, digest, size } };
  }

  /** A config is named after its digest, which is held against its bytes: a name that lies is no accident. */
  async #readMember(member: string): Promise<Buffer> {
    const bytes = await readWhole(await this.#openMember(member), this.#limits, `the config ${member}`);
    const claimed = named(member);
    if (claimed === undefined || claimed === digestOf(bytes)) return bytes;
    throw new BangerError("DIGEST_MISMATCH", `the config ${member} has the content of ${digestOf(bytes)}`, {
      op,
    });
  }

  async #openMember(member: string): Promise<FilePart> {
    const part = await this.#files.open(member);
    if (part !== undefined) return part;
    throw this.#missing(JSON.stringify(member.slice(0, 200)));
  }

  #missing(what: string): BangerError {
    return new BangerError("BLOB_UNKNOWN", `the archive ${this.#reference.path} has no ${what}`, {
      op,
      hint: "The archive is incomplete; save the image again.",
    });
  }
}

function parseSaved(node: JsonNode, limits: Pick<Limits, "layers">): SavedImage {
  const layers = node.at("Layers").texts();
  if (layers.length > limits.layers) {
    throw new BangerError("LIMIT_LAYERS", `the image has ${layers.length} layers`, { op });
  }
  return { config: node.at("Config").text(), names: node.at("RepoTags").texts(), layers };
}

/** `<hex>.json` or `blobs/sha256/<hex>`; other names, as old Docker's `<id>/layer.tar`, say nothing of the content. */
function named(member: string): Digest | undefined {
  const hex = /^(?:blobs\/sha256\/)?([0-9a-f]{64})(?:\.json)?$/.exec(member)?.[1] ?? "";
  const digest = `sha256:${hex}`;
  return isDigest(digest) ? digest : undefined;
}

function compressionOf(magic: Buffer): "" | "+gzip" | "+zstd" {
  if (magic.readUInt16BE(0) === 0x1f8b) return "+gzip";
  return magic.readUInt32BE(0) === 0x28b52ffd ? "+zstd" : "";
}

async function digestOfPart(part: FilePart, signal: AbortSignal): Promise<Digest> {
  const digester = new Digester();
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  for (let at = 0; at < part.size;) {
    if (signal.aborted) throw asBangerError(signal.reason, op);
    const length = await part.read(buffer, at);
    if (length === 0) break;
    digester.update(buffer.subarray(0, length));
    at += length;
  }
  return digester.digest();
}

/** The same archive makes the same manifest, to the byte: its digest is the image's. */
function manifestOf(
  digest: Digest,
  size: number,
  layers: readonly SavedLayer[],
): { readonly bytes: Buffer; readonly mediaType: string; readonly digest: Digest } {
  const document = {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: { mediaType: ociConfig, digest, size },
    layers: layers.map(({ descriptor }) => descriptor),
  };
  const bytes = Buffer.from(JSON.stringify(document));
  return { bytes, mediaType: ociManifest, digest: digestOf(bytes) };
}

/** By its whole name, however short it was written, or by its tag. */
function isNamed(name: string, wanted: string): boolean {
  return name === wanted || name.endsWith(`:${wanted}`) || normal(name) === normal(wanted);
}

function normal(name: string): string {
  try {
    return formatReference(parseReference(name));
  } catch {
    // A name that is none is only ever equal to itself.
    return name;
  }
}

function tagOf({ tag }: DockerArchiveReference, { names }: SavedImage): string {
  const name = tag ?? names[0] ?? "";
  return name.slice(name.lastIndexOf(":") + 1) || "latest";
}
