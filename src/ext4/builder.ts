import type { Limits } from "../base/limits.ts";
import type { Trash } from "../base/trash.ts";
import type { RootTree, ScannedBlob } from "../layers/root-tree.ts";

export const builderNames = ["e2fsprogs", "direct"] as const;
export type BuilderName = (typeof builderNames)[number];

/** What a builder is given. It owns none of it. */
export interface BuildInput {
  readonly tree: RootTree;
  /** Oldest first; `Content.layer` and `Origin.layer` count in it. Those with no live content are not opened. */
  readonly layers: readonly ScannedBlob[];
  /** The file to make; must not exist. The caller removes it when the build fails. */
  readonly target: string;
  /** A folder of the caller's, in which the builder makes its own. */
  readonly tempDir: string;
  /** Of the file system, in bytes; undefined lets the builder size it. */
  readonly sizeBytes: number | undefined;
  /** Of the file system, and the seed of its directory hashes; both as `8-4-4-4-12` hex digits. */
  readonly uuid: string;
  readonly hashSeed: string;
  /** Removes large folders behind a cancelled pull's back; without it the build takes its time for that. */
  readonly trash?: Trash | undefined;
  readonly limits: Limits;
  readonly signal: AbortSignal;
  /** Called often, must not block; throwing is a defect. */
  readonly onProgress: (progress: BuildProgress) => void;
}

export interface BuildProgress {
  readonly done: number;
  readonly total: number;
  readonly unit: "bytes" | "inodes" | "commands";
}

export interface BuiltFacts {
  readonly sizeBytes: number;
  /** Bytes of file content that were written. */
  readonly contentBytes: number;
}

export interface OwnershipFacts {
  readonly inodes: number;
  readonly changes: number;
  readonly devices: number;
  readonly xattrs: number;
}

/**
 * A file system in the making. The stages are called in this order, each once; whoever started the build
 * disposes of it, which stops its workers and children and removes its temporary files, but not `target`.
 */
export interface RootfsBuild extends AsyncDisposable {
  /** The file exists, with every name and every content in it. */
  readonly built: BuiltFacts;
  /** Brings owner, mode, times, links, devices and xattrs to what the tree says. */
  applyOwnership(): Promise<OwnershipFacts>;
}

/** One way to make the file. All make the same file system of the same tree. */
export interface RootfsBuilder {
  readonly name: BuilderName;
  /** @throws BangerError E2FSPROGS_MISSING or E2FSPROGS_TOO_OLD where this machine can't run it. */
  check(signal: AbortSignal): Promise<void>;
  /** Stage and make the file system; not durable until the caller syncs `target`. */
  build(input: BuildInput): Promise<RootfsBuild>;
}
