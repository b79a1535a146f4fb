import type { BangerError } from "../../src/base/error.ts";
import type { LayerBlob } from "../../src/layers/root-tree.ts";
import type { StoredCase } from "./hostile-case.ts";
import type { Outcome } from "./road.ts";

/** What the campaign allows, whatever the input. */
export interface Bounds {
  readonly millisecondsPerCase: number;
  readonly peakMemoryBytes: number;
}

export const bounds: Bounds = { millisecondsPerCase: 10_000, peakMemoryBytes: 600 * 1024 * 1024 };

/** Reasons for which a layer may be refused. */
const refusals = /^(?:LAYER_UNSAFE|LAYER_INVALID|LAYER_UNENCODABLE|DIFFID_MISMATCH|LIMIT_[A-Z_]+)$/;

/** Rules about a blob as a whole, where no entry is to blame. */
const blobRules = new Set([
  "blob-empty",
  "gzip",
  "zstd",
  "trailing-garbage",
  "diff-id",
  "inflated-bytes",
  "inflate-ratio",
  "index-bytes",
]);

/** Refused not before it is built: scan and flatten have nothing against it. */
export const unencodable = "LAYER_UNENCODABLE";

/** What is wrong with how a case ended, in sentences; none where all is well. */
export function judgeCase({ name, layers, expect }: StoredCase, outcome: Outcome): readonly string[] {
  const say = (what: string): string => `${name}: ${what}`;
  if (outcome.kind === "hung") return [say("was not done in time")];
  if (outcome.kind === "thrown") return [say(`threw ${String(outcome.error)}`)];
  if (outcome.kind === "accepted") {
    return expect === "accepted" || expect === "either" ? [] : [say(`was accepted, though ${expect.rule}`)];
  }
  const { error } = outcome;
  const complaints = judgeRefusal(error, layers);
  if (expect === "accepted") complaints.push(`was refused: ${error.message}`);
  else if (expect !== "either" && ruleOf(error) !== expect.rule)
    complaints.push(`was refused by ${ruleOf(error)}, not ${expect.rule}: ${error.message}`);
  return complaints.map(say);
}

/** The rule that refused a layer; where a refusal has none, the reason. */
export function ruleOf(error: BangerError): string {
  return error.facts["rule"] ?? error.reason;
}

/** A refusal tells layer, entry and rule, in words and as facts, and shows no control character. */
function judgeRefusal(error: BangerError, layers: readonly LayerBlob[]): string[] {
  const { reason, facts, hint, message } = error;
  const complaints: string[] = [];
  if (!refusals.test(reason))
    complaints.push(`was refused for ${reason}, which is no reason about layers: ${message}`);
  const layer = facts["layer"];
  if (layer === undefined || !layers.some(({ digest }) => digest === layer))
    complaints.push(`names ${layer ?? "no layer"}, none of its ${layers.length}`);
  const rule = facts["rule"];
  if (rule === undefined && reason !== unencodable) complaints.push("names no rule");
  if (rule !== undefined && !/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(rule))
    complaints.push(`has an odd rule, ${rule}`);
  if (!/^[1-9][0-9]*$/.test(facts["entry"] ?? "") && !blobRules.has(rule ?? ""))
    complaints.push(`names no entry: ${message}`);
  if (hint === "") complaints.push("does not say what to do");
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  if (/[\u0000-\u001f\u007f-\u009f]/.test(message))
    complaints.push(`shows control characters: ${JSON.stringify(message)}`);
  return complaints;
}

/** What all cases together did to the process. */
export function judgePeak(peakBytes: number): readonly string[] {
  if (peakBytes <= bounds.peakMemoryBytes) return [];
  return [`the process took ${peakBytes} bytes of memory, more than ${bounds.peakMemoryBytes}`];
}

/** What happened to the files that no layer may reach. */
export function judgeSurroundings(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly string[] {
  const complaints: string[] = [];
  for (const [path, state] of after) {
    const was = before.get(path);
    if (was === undefined) complaints.push(`${path} has come from a layer`);
    else if (was !== state) complaints.push(`${path} was ${was} and is ${state}`);
  }
  for (const path of before.keys()) if (!after.has(path)) complaints.push(`${path} is gone`);
  return complaints;
}
