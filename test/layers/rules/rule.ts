import { gzipSync } from "node:zlib";
import { digestOf } from "../../../src/base/digest.ts";
import { ociConfig, ociManifest } from "../../../src/oci/media-types.ts";
import {
  buildImage,
  descriptorOf,
  stored,
  type FakeImage,
  type Stored,
} from "../../fakes/registry/images.ts";

/** The smallest image that shows a rule, or one side of it. */
export interface Case {
  /** Tells it from the other cases of its rule; empty where there is one only. */
  readonly what: string;
  readonly image: FakeImage;
  /** The layers' tar streams, for contents to be looked up in. */
  readonly archives: readonly Buffer[];
  /** What banger must answer: the rule or reason that it refuses with, or the kinds of loss that it lists. */
  readonly banger: Answer;
  /** What umoci makes of it depends on the file system that it unpacks to: run where that is ext4. */
  readonly needsExt4?: boolean;
  /** Takes umoci many seconds: run by `umoci-table.ts` alone, and the page's row is taken as it is. */
  readonly slow?: boolean;
}

export type Answer =
  | { readonly refused: string }
  | { readonly refused?: undefined; readonly losses: readonly string[] };

/** A test that fails where the rule is broken: file below `test/`, without `.test.ts`, and the test's whole title. */
export interface HeldBy {
  readonly file: string;
  readonly title: string;
}

export interface Rule {
  readonly text: string;
  readonly heldBy: readonly HeldBy[];
  /** None where the rule is about the disk or the network, which umoci has nothing to do with. */
  readonly cases: readonly Case[];
}

export interface Section {
  readonly title: string;
  readonly rules: readonly Rule[];
}

/** Names tests of one file; a file without a folder is one of `test/layers`. */
export function by(file: string, ...titles: readonly string[]): readonly HeldBy[] {
  return titles.map((title) => ({ file: file.includes("/") ? file : `layers/${file}`, title }));
}

interface CaseOptions {
  readonly what?: string;
  readonly losses?: readonly string[];
  readonly needsExt4?: boolean;
  readonly slow?: boolean;
}

/** Layers, or what makes them where they are large. */
type Layers = readonly Buffer[] | (() => readonly Buffer[]);

function caseOf(layers: Layers, banger: Answer, { what = "", needsExt4, slow }: CaseOptions): Case {
  const make = typeof layers === "function" ? layers : (): readonly Buffer[] => layers;
  return {
    what,
    banger,
    needsExt4: needsExt4 ?? false,
    slow: slow ?? false,
    get archives() {
      return make();
    },
    get image() {
      return buildImage({ layers: make() });
    },
  };
}

/** Layers that merge. */
export function keeps(layers: Layers, options: CaseOptions = {}): Case {
  return caseOf(layers, { losses: options.losses ?? [] }, options);
}

/** Layers that are refused. */
export function refuses(rule: string, layers: Layers, options: CaseOptions = {}): Case {
  return caseOf(layers, { refused: rule }, options);
}

export interface ImageParts {
  readonly archives: readonly Buffer[];
  /** What is stored for the layers, where it is not the archives in gzip. */
  readonly blobs?: readonly Buffer[];
  /** Of every layer. */
  readonly mediaType?: string;
  /** Merged into every layer's descriptor, into the config, its descriptor, and the manifest. */
  readonly descriptor?: object;
  readonly config?: object;
  readonly configDescriptor?: object;
  readonly manifest?: object;
  /** In the place of the manifest's own bytes and type. */
  readonly root?: Stored;
}

/** An image in which something else than the archives matters. */
export function image(what: string, banger: Answer, parts: ImageParts): Case {
  const { archives, blobs = archives.map((archive) => gzipSync(archive, { level: 1 })) } = parts;
  const { mediaType = "application/vnd.oci.image.layer.v1.tar+gzip" } = parts;
  const layers = blobs.map((blob) => stored(mediaType, blob));
  const config = stored(ociConfig, {
    os: "linux",
    architecture: "amd64",
    rootfs: { type: "layers", diff_ids: archives.map((archive) => digestOf(archive)) },
    ...parts.config,
  });
  const manifest = stored(ociManifest, {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: descriptorOf(config, parts.configDescriptor),
    layers: layers.map((layer) => descriptorOf(layer, parts.descriptor)),
    ...parts.manifest,
  });
  const { root = manifest } = parts;
  return { what, image: { root, documents: [root], blobs: [config, ...layers] }, archives, banger };
}

/** The same with one blob changed where it is stored, under the digest that it had. */
export function damaged(
  from: Case,
  which: "manifest" | "config" | "layer",
  change: (bytes: Buffer) => Buffer,
): Case {
  const edit = (blob: Stored): Stored => ({ ...blob, bytes: change(blob.bytes) });
  const { root, blobs } = from.image;
  const changed = blobs.map((blob, at) => ((at === 0 ? "config" : "layer") === which ? edit(blob) : blob));
  const documents = [which === "manifest" ? edit(root) : root];
  return { ...from, image: { root, documents, blobs: changed } };
}

export const plainTar = "application/vnd.oci.image.layer.v1.tar";
