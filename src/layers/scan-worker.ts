import { closeSync, openSync, writeSync } from "node:fs";
import { serveJobs, yieldToOtherThreads, type JobContext } from "../base/workers.ts";
import { BlobFile } from "./blob-file.ts";
import { IndexEncoder } from "./index/encode.ts";
import { layerFault } from "./layer-fault.ts";
import type { ScanJob, ScanJobProgress, ScanJobResult } from "./scan-job.ts";
import { scanLayer } from "./scan-layer.ts";

/** Milliseconds between two reports of progress: more would be work for nobody. */
const reportEveryMs = 100;

yieldToOtherThreads();
serveJobs<ScanJob, ScanJobResult, ScanJobProgress>(scanIntoFile);

/**
 * Scans one layer into an index file. The file need not survive a power cut: it has a checksum, and one that is
 * damaged is made anew.
 */
async function scanIntoFile(job: ScanJob, context: JobContext<ScanJobProgress>): Promise<ScanJobResult> {
  const file = openSync(job.temporaryPath, "wx", 0o600);
  try {
    using blob = typeof job.blob === "string" ? BlobFile.open(job.blob) : BlobFile.arriving(job.blob);
    const { digest: blobDigest, diffId } = job.layer;
    const write = boundedWriter(file, job);
    const encoder = new IndexEncoder({ blobDigest, diffId }, write);
    const facts = await scanLayer(job.layer, blob, job.limits, encoder, throttled(context.progress));
    encoder.finish(facts);
    return { ...facts, entries: encoder.entries };
  } finally {
    closeSync(file);
  }
}

/** Entries are counted, but each may have a path of 4 KiB and xattrs of 64: their sum has a bound of its own. */
function boundedWriter(file: number, job: ScanJob): (chunk: Buffer) => void {
  let written = 0;
  return (chunk) => {
    written += chunk.length;
    if (written > job.limits.indexFileBytes) {
      const what = `its names and attributes are more than ${job.limits.indexFileBytes} bytes together`;
      const place = { layer: job.layer.digest, entry: undefined, name: undefined };
      throw layerFault("LIMIT_ENTRIES", "index-bytes", what, place);
    }
    for (let at = 0; at < chunk.length;) at += writeSync(file, chunk, at);
  };
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
