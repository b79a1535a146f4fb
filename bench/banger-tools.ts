import { rmSync } from "node:fs";
import { join } from "node:path";
import { startRealRegistry } from "../test/system/real-registry.ts";
import { parseFigures } from "./layout.ts";
import { measure, type Measured } from "./measure.ts";
import { notOnPath, type BenchPlace, type Run, type Tool } from "./tool.ts";

const banger = join(import.meta.dirname, "..", "src", "bin", "banger.js");

function node(file: string, ...args: readonly string[]): Promise<Measured> {
  return measure(process.execPath, [join(import.meta.dirname, file), ...args]);
}

/** The seconds of the parts that are named, of those that the program printed. */
function partsRun(
  { stdout, cpuSeconds, peakBytes, writtenBytes }: Measured,
  ...names: readonly string[]
): Run {
  const figures = parseFigures(stdout);
  const parts = Object.fromEntries(names.map((name) => [name, figures.get(name) ?? Number.NaN]));
  const seconds = Object.values(parts).reduce((sum, value) => sum + value, 0);
  return { seconds, cpuSeconds, peakBytes, writtenBytes, parts };
}

/** Indexes that a first run left. */
async function withIndexes(place: BenchPlace): Promise<string> {
  const indexes = join(place.kept, "indexes");
  await node("scan-process.ts", place.layout, indexes);
  return indexes;
}

function builderTools(builder: "direct" | "e2fsprogs", missing: Tool["missing"]): readonly Tool[] {
  const slow = builder === "e2fsprogs";
  return [
    {
      name: builder,
      slow,
      what: `the ${builder} builder, the layers' indexes cached`,
      missing,
      run: async (place) => {
        const indexes = await withIndexes(place);
        return partsRun(
          await node("build-process.ts", place.layout, builder, indexes, place.work),
          "build",
          "own",
        );
      },
    },
    {
      name: `${builder}-cold`,
      slow,
      what: `scan and the ${builder} builder, nothing cached`,
      missing,
      run: async ({ layout, work }) => {
        const run = await node("build-process.ts", layout, builder, join(work, "indexes"), work);
        return partsRun(run, "scan", "flatten", "build", "own");
      },
    },
    {
      name: `pull-${builder}`,
      slow,
      what: `a whole \`banger image pull --builder ${builder}\`: blobs and indexes cached; verified, hashed, published`,
      missing,
      run: (place) => pull(place, builder),
    },
  ];
}

/** The second of two pulls, with the daemon that `banger` starts for itself. */
async function pull({ layout, work }: BenchPlace, builder: string): Promise<Run> {
  const folders = ["--state-dir", join(work, "state"), "--cache-dir", join(work, "cache")];
  const run = (...args: readonly string[]): Promise<Measured> =>
    measure(process.execPath, [banger, ...folders, ...args], { XDG_RUNTIME_DIR: work });
  const words = ["image", "pull", `oci:${layout}:latest`, "--no-agents", "--quiet", "--builder", builder];
  await run(...words, "--name", "first");
  await run("image", "rm", "first");
  const measured = await run(...words, "--name", "second");
  const image: unknown = JSON.parse((await run("image", "inspect", "second", "--json")).stdout);
  rmSync(join(work, "state"), { recursive: true });
  return { ...measured, parts: stagesOf(image) };
}

function stagesOf(image: unknown): Readonly<Record<string, number>> {
  if (typeof image !== "object" || image === null || !("stageTimes" in image))
    throw new TypeError("image inspect --json has no stageTimes");
  const { stageTimes } = image;
  if (!Array.isArray(stageTimes)) throw new TypeError("stageTimes is no list");
  const parts: Record<string, number> = {};
  for (const entry of stageTimes as readonly { stage?: string; duration?: string }[])
    parts[entry.stage ?? ""] = Number.parseFloat(entry.duration ?? "0");
  return parts;
}

const floor: Tool = {
  name: "floor",
  what: "what nobody can do without: inflating the live layers on all cores and writing what is alive",
  missing: () => undefined,
  run: async (place) => {
    const run = await node("floor-process.ts", place.layout, await withIndexes(place), place.work);
    return {
      ...partsRun(run, "inflate", "write", "hash"),
      seconds: parseFigures(run.stdout).get("write") ?? 0,
    };
  },
};

/** Fetch and scan at once against each of them alone: what a cold pull does until its last layer is scanned. */
const overlap: Tool = {
  name: "registry",
  image: "big",
  what: "layers fetched from a registry on loopback and scanned, as a pull does with nothing cached",
  missing: () => notOnPath("docker-registry", "skopeo"),
  run: async ({ layout, work }) => {
    await using registry = await startRealRegistry();
    const reference = `${registry.host}/bench/image:latest`;
    const flags = ["--insecure-policy", "copy", "-q", "--dest-tls-verify=false"];
    await measure("skopeo", [...flags, `oci:${layout}:latest`, `docker://${reference}`]);
    const run = partsRun(await node("registry-child.ts", reference, work), "fetch", "scan", "both");
    return { ...run, seconds: run.parts["both"] ?? Number.NaN };
  },
};

export const bangerTools: readonly Tool[] = [
  floor,
  ...builderTools("direct", () => undefined),
  overlap,
  ...builderTools("e2fsprogs", () => notOnPath("mkfs.ext4", "debugfs")),
];
