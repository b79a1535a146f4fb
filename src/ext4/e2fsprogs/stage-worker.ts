import { Digester, algorithmOf, shortDigest, type Digest } from "../../base/digest.ts";
import { BangerError } from "../../base/error.ts";
import type { Limits } from "../../base/limits.ts";
import { serveJobs } from "../../base/workers.ts";
import { BlobFile } from "../../layers/blob-file.ts";
import { inflateLayer } from "../../layers/decompress.ts";
import {
  LayerFiles,
  finishDirectories,
  makeDirectories,
  makeEmptyFiles,
  makeLinks,
  makeSymlinks,
} from "./stage-files.ts";
import { StagingFolder } from "./staging-folder.ts";
import type { StagedDirectory, StagedFile, StagedLink, StagedSymlink } from "./staging-plan.ts";

interface JobBase {
  /** The staging folder. */
  readonly root: string;
}

export type StageJob =
  | (JobBase & { readonly kind: "directories"; readonly directories: readonly StagedDirectory[] })
  | (JobBase & {
      readonly kind: "layer";
      readonly blob: string;
      readonly layer: Digest;
      readonly diffId: Digest;
      readonly files: readonly StagedFile[];
      readonly limits: Limits;
    })
  | (JobBase & {
      readonly kind: "rest";
      readonly emptyFiles: readonly StagedFile[];
      readonly links: readonly StagedLink[];
      readonly symlinks: readonly StagedSymlink[];
      readonly directories: readonly StagedDirectory[];
    });

/** Bytes of content written since the last report. */
export type StageProgress = number;

/** How many bytes between two reports. */
const reportBytes = 4 * 1024 * 1024;

serveJobs<StageJob, null, StageProgress>(async (job, { progress }) => {
  using folder = new StagingFolder(job.root);
  switch (job.kind) {
    case "directories":
      makeDirectories(folder, job.directories);
      break;
    case "layer":
      await stageLayer(job, folder, progress);
      break;
    case "rest": {
      using other = new StagingFolder(job.root);
      makeEmptyFiles(folder, job.emptyFiles);
      makeLinks(folder, other, job.links);
      makeSymlinks(folder, job.symlinks);
      finishDirectories(folder, job.directories);
    }
  }
  return null;
});

async function stageLayer(
  job: StageJob & { kind: "layer" },
  folder: StagingFolder,
  progress: (bytes: StageProgress) => void,
): Promise<void> {
  const files = new LayerFiles(folder, job.files);
  const digester = new Digester(algorithmOf(job.diffId));
  let reported = 0;
  using blob = BlobFile.open(job.blob);
  await inflateLayer(blob, { layer: job.layer, limits: job.limits }, (piece) => {
    files.take(piece);
    digester.update(piece);
    if (files.writtenBytes - reported < reportBytes) return;
    progress(files.writtenBytes - reported);
    reported = files.writtenBytes;
  });
  files.end();
  // A scan's index may be older than what the cache's disk made of the blob since, and an archive that isn't
  // compressed has no checksum of its own.
  const found = digester.digest();
  if (found !== job.diffId) {
    throw new BangerError("DIFFID_MISMATCH", `layer ${shortDigest(job.layer)} inflates to ${found} now`, {
      op: "stage files",
      facts: { layer: job.layer, diffId: job.diffId },
    });
  }
  progress(files.writtenBytes - reported);
}
