/**
 * `npm run bench -- download`: an image out of Debian's docker-registry on loopback, by our client into its cache and
 * by `skopeo copy` into an OCI layout, turn about. Both verify and sync what they write.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage, writeLayout } from "../test/fakes/registry/images.ts";
import { startRealRegistry } from "../test/system/real-registry.ts";
import { median } from "./median.ts";
import { timed } from "./peers.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 9);
const layerCount = 5;
const layerMiB = 80;
const child = join(import.meta.dirname, "download-child.ts");

interface Round {
  readonly skopeo: number;
  /** From the start of the process. */
  readonly whole: number;
  /** In a process that is up. */
  readonly up: number;
}

function pullOnce(reference: string, work: string): Round {
  const layout = join(work, "layout");
  const cache = join(work, "cache");
  for (const path of [layout, cache]) rmSync(path, { recursive: true, force: true });
  const flags = ["--insecure-policy", "copy", "-q", "--src-tls-verify=false"];
  const skopeo = timed("skopeo", [...flags, `docker://${reference}`, `oci:${layout}:v1`]);
  const begin = performance.now();
  const result = spawnSync(process.execPath, [child, reference, cache], { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`the download failed: ${result.stderr}`);
  return { skopeo, whole: (performance.now() - begin) / 1000, up: Number(result.stdout) };
}

async function main(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "banger-bench-"));
  try {
    await using registry = await startRealRegistry();
    const reference = `${registry.host}/bench/image:v1`;
    const source = join(work, "source");
    const layers = Array.from({ length: layerCount }, () => randomBytes(layerMiB << 20));
    await writeLayout(source, { v1: buildImage({ layers }) });
    const push = ["--insecure-policy", "copy", "-q", "--dest-tls-verify=false"];
    timed("skopeo", [...push, `oci:${source}:v1`, `docker://${reference}`]);
    rmSync(source, { recursive: true });
    pullOnce(reference, work);
    report(Array.from({ length: rounds }, () => pullOnce(reference, work)));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function report(results: readonly Round[]): void {
  const mib = layerCount * layerMiB;
  console.log(`\nmedians of ${results.length} rounds, ${mib} MiB in ${layerCount} layers`);
  const line = (name: string, pick: (round: Round) => number): void => {
    const seconds = median(results.map(pick));
    // Of each round, so that what else the machine does weighs on both.
    const ratio = median(results.map((round) => round.skopeo / pick(round)));
    const speed = (mib / seconds).toFixed(0).padStart(5);
    console.log(
      `${name.padEnd(34)} ${seconds.toFixed(2).padStart(6)} s ${speed} MiB/s  ${ratio.toFixed(2)} × skopeo's speed`,
    );
  };
  line("skopeo copy to a layout", ({ skopeo }) => skopeo);
  line("banger, its process started for it", ({ whole }) => whole);
  line("banger, its process up", ({ up }) => up);
}

await main();
