import { readFileSync, mkdirSync, rmSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { keepCompiled } from "../test/system/compile-cache.ts";
import { bangerTools } from "./banger-tools.ts";
import { images } from "./catalog.ts";
import { compareBuilders } from "./compare.ts";
import { madeImage, type BenchImage } from "./images.ts";
import { peers } from "./peers.ts";
import { writeReport } from "./report.ts";
import { loadResults, ratios, saveResults, type ImageResults, type Results } from "./results.ts";
import { resultText } from "./result-text.ts";
import type { Run, Tool } from "./tool.ts";

// Ours are measured as they are installed.
keepCompiled();

const work = join(import.meta.dirname, ".work");
const resultsFile = join(work, "results.json");
const tools: readonly Tool[] = [...bangerTools, ...peers];

const usage = `npm run bench -- [--image NAME]… [--tool NAME]… [--rounds N] [--report]
  --image   ${images.map(({ name }) => name).join(", ")}
  --tool    ${tools.map(({ name }) => name).join(", ")}
  --rounds  how often each tool runs; medians count. Without it, three times on the images whose figures are to be
            kept, and once on others and where it takes long
  --compare measures nothing: builds each image with both builders, and reads both back in every way there is
  --last    measures nothing: shows what the last run found
  --report  writes the results into docs/performance.md, and its plot`;

const { values } = parseArgs({
  options: {
    image: { type: "string", multiple: true, default: [] },
    tool: { type: "string", multiple: true, default: [] },
    rounds: { type: "string" },
    compare: { type: "boolean", default: false },
    last: { type: "boolean", default: false },
    report: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

function chosen<T extends { readonly name: string }>(
  all: readonly T[],
  names: readonly string[],
): readonly T[] {
  const unknown = names.find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined) throw new Error(`there is no ${unknown}\n${usage}`);
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}

const mostRounds = 3;

function roundsOf(image: BenchImage, tool: Tool): number {
  if (values.rounds !== undefined) return Number(values.rounds);
  return tool.slow !== true && ratios.some((ratio) => ratio.image === image.name) ? mostRounds : 1;
}

/** One tool after the other and round after round, so that what the machine does meanwhile spares none of them. */
async function benchImage(image: BenchImage, wanted: readonly Tool[]): Promise<ImageResults> {
  const layout = await madeImage(image, join(work, "images"));
  const [kept, place] = [join(work, "kept", image.name), join(work, "run")];
  mkdirSync(kept, { recursive: true });
  const fitting = wanted.filter(
    (tool) => (tool.image ?? image.name) === image.name && image.tools?.includes(tool.name) !== false,
  );
  const missing = new Map(fitting.map((tool) => [tool.name, tool.missing()]));
  const able = fitting.filter(({ name }) => missing.get(name) === undefined);
  const runs = new Map<string, Run[]>(able.map(({ name }) => [name, []]));
  const rounds = Math.max(0, ...able.map((tool) => roundsOf(image, tool)));
  for (let round = 1; round <= rounds; round++) {
    for (const tool of able.filter((one) => round <= roundsOf(image, one))) {
      rmSync(place, { recursive: true, force: true });
      mkdirSync(place);
      const run = await tool.run({ layout, work: place, kept });
      runs.get(tool.name)?.push(run);
      console.error(`${image.name}, round ${round}: ${tool.name} ${run.seconds.toFixed(2)} s`);
      rmSync(place, { recursive: true, force: true });
    }
  }
  const found = able.map(({ name, what }) => [name, { what, runs: runs.get(name) ?? [] }] as const);
  return {
    what: image.what,
    tools: Object.fromEntries(found),
    missing: Object.fromEntries(
      [...missing].flatMap(([name, why]) => (why === undefined ? [] : [[name, why]])),
    ),
  };
}

function machine(): string {
  const memory = /^MemTotal:\s*(\d+)/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1] ?? "0";
  const model = cpus()[0]?.model ?? "unknown";
  return `${availableParallelism()} cores (${model}), ${Math.round(Number(memory) / 2 ** 20)} GB of memory, Node ${process.versions.node}`;
}

async function bench(rounds: number): Promise<Results> {
  const wanted = chosen(tools, values.tool);
  const found: [string, ImageResults][] = [];
  for (const image of chosen(images, values.image)) {
    found.push([image.name, await benchImage(image, wanted)]);
    saveResults(resultsFile, { machine: machine(), rounds, images: Object.fromEntries(found) });
  }
  return loadResults(resultsFile);
}

if (values.help) {
  console.log(usage);
} else if (values.compare) {
  for (const image of chosen(images, values.image)) {
    const layout = await madeImage(image, join(work, "images"));
    console.log(`${image.name}: ${await compareBuilders(layout, join(work, "compare"))}`);
  }
} else {
  mkdirSync(work, { recursive: true });
  const rounds = Number(values.rounds ?? mostRounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`not a number of rounds: ${values.rounds}\n${usage}`);
  const results = values.last ? loadResults(resultsFile) : await bench(rounds);
  console.log(resultText(results));
  if (values.report) writeReport(results, join(import.meta.dirname, "..", "docs"));
}
