import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { big, makeImage } from "./images.ts";
import { median } from "./median.ts";
import { roadByHand, type PeerTimes } from "./peers.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 3);
const work = join(import.meta.dirname, ".work");
const banger = join(import.meta.dirname, "..", "src", "bin", "banger.js");

interface StageTimes {
  readonly total: number;
  readonly stages: ReadonlyMap<string, number>;
}

/** One `banger image pull`, with the daemon that it starts for itself; the cache stays for the next one. */
function pull(layout: string, home: string, name: string): StageTimes {
  const folders = ["--state-dir", join(home, "state"), "--cache-dir", join(home, "cache")];
  const run = (...args: readonly string[]): string => {
    const env = { ...process.env, XDG_RUNTIME_DIR: home };
    const options = { encoding: "utf8" as const, maxBuffer: 1 << 28, env };
    const result = spawnSync(process.execPath, [banger, ...folders, ...args], options);
    if (result.status !== 0) throw new Error(`banger ${args.join(" ")} failed: ${result.stderr}`);
    return result.stdout;
  };
  const begin = performance.now();
  run("image", "pull", `oci:${layout}:latest`, "--name", name, "--no-agents", "--quiet");
  const total = (performance.now() - begin) / 1000;
  const image: unknown = JSON.parse(run("image", "inspect", name, "--json"));
  run("image", "rm", name);
  return { total, stages: stagesOf(image) };
}

function stagesOf(image: unknown): ReadonlyMap<string, number> {
  const stages = new Map<string, number>();
  if (
    typeof image !== "object" ||
    image === null ||
    !("stageTimes" in image) ||
    !Array.isArray(image.stageTimes)
  ) {
    throw new Error("image inspect --json has no stageTimes");
  }
  for (const entry of image.stageTimes as readonly { stage?: string; duration?: string }[]) {
    stages.set(entry.stage ?? "", Number.parseFloat(entry.duration ?? "0"));
  }
  return stages;
}

mkdirSync(work, { recursive: true });
console.log(`making the image (${big.layers} layers, ${big.layers * big.entriesPerLayer} entries) …`);
const layout = await makeImage(big, work);
const hand: PeerTimes[] = [];
const cold: StageTimes[] = [];
const warm: StageTimes[] = [];
for (let round = 0; round < rounds; round++) {
  const home = join(work, "home");
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  hand.push(roadByHand(layout, work));
  cold.push(pull(layout, home, "cold"));
  warm.push(pull(layout, home, "warm"));
  rmSync(home, { recursive: true, force: true });
}

const byHand = median(hand.map(({ unpack, mkfs, debugfs }) => unpack + mkfs + debugfs));
const line = (name: string, seconds: number): void =>
  console.log(`${name.padEnd(44)} ${seconds.toFixed(2).padStart(7)} s   ${(seconds / byHand).toFixed(2)} ×`);
console.log(`\nmedians of ${rounds} rounds; the ratio is to umoci + mkfs + debugfs in the same run`);
for (const part of ["unpack", "mkfs", "debugfs"] as const)
  line(`by hand: ${part}`, median(hand.map((times) => times[part])));
line("by hand: umoci + mkfs + debugfs", byHand);
line("banger, nothing cached", median(cold.map(({ total }) => total)));
line("banger, blobs and indexes cached", median(warm.map(({ total }) => total)));
const names = [...(cold[0]?.stages.keys() ?? [])];
for (const name of names) line(`  ${name}`, median(cold.map(({ stages }) => stages.get(name) ?? 0)));
const verify = median(cold.map(({ total, stages }) => (stages.get("verify") ?? 0) / total));
console.log(`verify takes ${(verify * 100).toFixed(1)} % of a cold pull`);
