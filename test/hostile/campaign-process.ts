import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layGrounds, type Grounds } from "./canary.ts";
import { runCampaign } from "./campaign.ts";
import type { StoredCase } from "./hostile-case.ts";
import { prepareCases } from "./prepare.ts";

/**
 * Two processes of a campaign in `ROOT`: `prepare` lays the grounds and makes the cases, `run` takes them and prints
 * its report as JSON, so that its peak memory is its own.
 */
interface Prepared {
  readonly grounds: Grounds;
  readonly cases: readonly StoredCase[];
}

const [what, root] = process.argv.slice(2);
if (root === undefined) throw new Error("usage: campaign-process prepare|run ROOT");
const file = join(root, "cases.json");
if (what === "prepare") {
  const grounds = layGrounds(root);
  const cases = prepareCases(join(root, "blobs"), grounds.canary);
  writeFileSync(file, JSON.stringify({ grounds, cases } satisfies Prepared));
} else {
  const { grounds, cases } = readPrepared(file);
  process.stdout.write(JSON.stringify(await runCampaign(grounds, cases)));
}

/** What the other process has just written; nobody else could. */
function readPrepared(path: string): Prepared {
  return JSON.parse(readFileSync(path, "utf8"));
}
