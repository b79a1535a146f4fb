import { closeSync, openSync, renameSync, writeSync } from "node:fs";
import { serveJobs, type JobContext } from "../base/workers.ts";
import { IndexEncoder } from "./index/encode.ts";
import type { ScanJob, ScanJobProgress, ScanJobResult } from "./scan-job.ts";
import { scanLayer } from "./scan-layer.ts";

/** Milliseconds between two reports of progress: more would be work for nobody. */
const reportEveryMs = 100;

serveJobs<ScanJob, ScanJobResult, ScanJobProgress>(scanIntoFile);

/**
 * Scans one layer into an index file. The file need not survive a power cut: it has a checksum, and one that is
 * damaged is made anew.
 */
async function scanIntoFile(job: ScanJob, context: JobContext<ScanJobProgress>): Promise<ScanJobResult> {
  const file = openSync(job.temporaryPath, "wx", 0o600);
  try {
    const encoder = new IndexEncoder({ blobDigest: job.blob.digest, diffId: job.blob.diffId }, (chunk) =>
      writeWhole(file, chunk),
    );
    const inflated = await scanLayer(job.blob, job.limits, encoder, throttled(context.progress));
    encoder.finish(inflated);
    renameSync(job.temporaryPath, job.indexPath);
    return { ...inflated, entries: encoder.entries };
  } finally {
    closeSync(file);
  }
}

function writeWhole(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}

function throttled(report: (value: number) => void): (value: number) => void {
  let next = 0;
  return (value) => {
    const now = performance.now();
    if (now < next) return;
    next = now + reportEveryMs;
    report(value);
  };
}
