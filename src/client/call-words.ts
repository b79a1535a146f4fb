/** What a call is for, in words, and how long it may take. */
export interface CallWords {
  /** Completes "the daemon is to …". */
  readonly does: string;
  /** How long an answer may take, in milliseconds; undefined for streams, which tell how far they are. */
  readonly answerMs: number | undefined;
  /** What to do about one that was interrupted; empty where nothing was to change. */
  readonly interrupted: string;
}

/** What the daemon answers out of its database: one that takes as long is stuck, however busy. */
const lookUpMs = 30_000;
/** What reads or deletes as much as an image has: a whole one of 256 GiB from a slow disk takes about an hour. */
const diskMs = 2 * 3_600_000;
/** What asks registries and catalogs: what the daemon tries again, five times a minute each, is over by then. */
const networkMs = 30 * 60_000;

const reads = (does: string, answerMs: number): CallWords => ({ does, answerMs, interrupted: "" });

const writes = (does: string, answerMs: number, see: string): CallWords => ({
  does,
  answerMs,
  interrupted: `See \`${see}\`: it may have been done all the same.`,
});

const again = "again to go on: what was downloaded is kept.";

/** By the name of a method. */
const words: Readonly<Record<string, CallWords>> = {
  PullImage: { does: "pull the image", answerMs: undefined, interrupted: `Pull ${again}` },
  WatchPull: {
    does: "finish the pull",
    answerMs: undefined,
    interrupted: "See `banger pull ls`: it goes on where it was detached, or somebody else watches it.",
  },
  ListPulls: reads("list pulls", lookUpMs),
  CancelPull: writes("cancel the pull", lookUpMs, "banger pull ls"),
  ResolveImage: reads("resolve the image", networkMs),
  GetImage: reads("tell of the image", lookUpMs),
  ListImages: reads("list images", lookUpMs),
  RenameImage: writes("rename the image", lookUpMs, "banger image ls"),
  DeleteImage: writes("delete the image", diskMs, "banger image ls"),
  VerifyImage: reads("verify the image", diskMs),
  ListFiles: reads("list the image's files", diskMs),
  ReadFile: { does: "read the file", answerMs: undefined, interrupted: "" },
  DiffImages: reads("compare the images", diskMs),
  GetImageUsage: reads("add up the image's files", diskMs),
  ExportImage: { does: "export the image", answerMs: undefined, interrupted: "" },
  ListKernels: reads("list kernels", lookUpMs),
  ListCatalog: reads("read the catalogs of kernels", networkMs),
  PullKernel: { does: "fetch the kernel", answerMs: undefined, interrupted: `Pull it ${again}` },
  ImportKernel: writes("import the kernel", diskMs, "banger kernel ls"),
  DeleteKernel: writes("delete the kernel", diskMs, "banger kernel ls"),
  GetCacheUsage: reads("add up the cache", diskMs),
  PruneCache: writes("prune the cache", diskMs, "banger cache usage"),
  GetDaemonStatus: reads("tell how it is", lookUpMs),
};

/** @param method its name, as `ListImages` */
export function wordsFor(method: string): CallWords {
  return words[method] ?? reads(`answer ${method}`, lookUpMs);
}

/** All methods that have words of their own. */
export function wordedMethods(): readonly string[] {
  return Object.keys(words);
}
