import { byteString, printable } from "../../../src/base/bytes.ts";
import type { HostEntry } from "../../system/host-tree.ts";
import { asHostTree, type BangerResult } from "./run-banger.ts";
import type { UmociResult } from "./run-umoci.ts";
import type { Case } from "./rule.ts";

/** More differences than this are counted, not shown. */
const shown = 3;

/** Whether banger did what the case says it must. */
export function isAsExpected(result: BangerResult, { banger }: Case): boolean {
  if (banger.refused !== undefined || result.refused !== undefined) return banger.refused === result.refused;
  const kinds = new Set<string>(result.tree.losses.map(({ kind }) => kind));
  return kinds.size === banger.losses.length && banger.losses.every((kind) => kinds.has(kind));
}

/** What banger did with a case, for the table. */
export function bangerOutcome(result: BangerResult): string {
  if (result.refused !== undefined) return `refused: \`${result.refused}\``;
  const kinds = [...new Set(result.tree.losses.map(({ kind }) => kind))].sort();
  return ["as the rule says", ...kinds.map((kind) => `listed: \`${kind}\``)].join("; ");
}

/** What umoci did with a case, as compared with banger. */
export function umociOutcome(
  banger: BangerResult,
  umoci: UmociResult,
  example: Case,
  started: bigint,
): string {
  if (umoci.refused !== undefined) return `refused: ${shortened(umoci.refused)}`;
  if (banger.tree === undefined)
    return `unpacks ${listed([...umoci.tree.keys()].filter((path) => path !== "/"))}`;
  const expected = new Map(asHostTree(banger.tree, example.archives));
  const found = new Map(umoci.tree);
  // A root without an entry is as whoever unpacks makes it.
  if (banger.tree.root.origin.entry === 0) for (const tree of [expected, found]) tree.delete("/");
  const lines = compare(expected, found, started);
  for (const [path, entry] of expected)
    if (hasHoles(banger.tree, path) && entry.type === "file" && !umoci.sparse.has(path))
      lines.push(`${quoted(path)}: holes are written out`);
  return lines.length === 0 ? "same" : capped(lines);
}

function hasHoles(tree: NonNullable<BangerResult["tree"]>, path: string): boolean {
  const inode = [...tree.root.children].find(([name]) => `/${name}` === path)?.[1];
  return (
    inode?.kind === "file" &&
    inode.content.segments !== undefined &&
    inode.size - inode.content.storedBytes >= 8192
  );
}

type Tree = ReadonlyMap<string, HostEntry>;

/** A clause for each difference: what umoci has, and not what banger has. */
function compare(expected: Tree, found: Tree, started: bigint): string[] {
  const lines: string[] = [];
  for (const [path, want] of expected) {
    const have = found.get(path);
    if (have === undefined) lines.push(`${quoted(path)} is missing`);
    else lines.push(...compareEntry(want, have, started).map((line) => `${quoted(path)}: ${line}`));
  }
  for (const path of found.keys()) if (!expected.has(path)) lines.push(`${quoted(path)} is there`);
  return lines;
}

function compareEntry(want: HostEntry, have: HostEntry, started: bigint): string[] {
  if (want.type !== have.type) return [`${have.type} instead of ${want.type}`];
  const time = (ns: bigint): string =>
    ns >= started && ns < started + 3_600_000_000_000n ? "now" : secondsOf(ns);
  const pairs: readonly (readonly [string, string, string])[] = [
    ["mode", want.mode.toString(8), have.mode.toString(8)],
    ["owner", `${want.uid}:${want.gid}`, `${have.uid}:${have.gid}`],
    ["mtime", time(want.mtimeNs), time(have.mtimeNs)],
    ["size", String(want.size), String(have.size)],
    ["names", String(want.links), String(have.links)],
    ["device", String(want.rdev), String(have.rdev)],
    ["target", String(want.target), String(have.target)],
    ["the inode of", quoted(want.sameAs), quoted(have.sameAs)],
    ["content", String(want.sha256).slice(0, 8), String(have.sha256).slice(0, 8)],
  ];
  const lines = pairs.filter(([, a, b]) => a !== b).map(([what, a, b]) => `${what} ${b} instead of ${a}`);
  return [...lines, ...compareXattrs(want.xattrs, have.xattrs)];
}

function secondsOf(ns: bigint): string {
  const sign = ns < 0n ? "-" : "";
  const digits = String(ns < 0n ? -ns : ns).padStart(10, "0");
  const fraction = digits.slice(-9).replace(/0+$/, "");
  return `${sign}${digits.slice(0, -9)}${fraction === "" ? "" : `.${fraction}`}`;
}

function compareXattrs(want: string, have: string): string[] {
  const parse = (text: string): Map<string, string> =>
    new Map(
      text
        .split("\n")
        .filter((line) => line !== "")
        // getfattr writes no value for an empty one.
        .map((line) => (line.includes("=") ? line : `${line}=0x`))
        .map((line) => [line.slice(0, line.lastIndexOf("=")), line.slice(line.lastIndexOf("=") + 1)]),
    );
  const [wanted, found] = [parse(want), parse(have)];
  const lines: string[] = [];
  for (const [name, value] of wanted) {
    if (!found.has(name)) lines.push(`no ${name}`);
    else if (found.get(name) !== value) lines.push(`another ${name}`);
  }
  for (const name of found.keys()) if (!wanted.has(name)) lines.push(`has ${name}`);
  return lines;
}

function listed(paths: readonly string[]): string {
  if (paths.length === 0) return "nothing";
  return capped(paths.map(quoted), ", ");
}

function capped(lines: readonly string[], separator = "; "): string {
  const rest = lines.length - shown;
  return [...lines.slice(0, shown), ...(rest > 0 ? [`${rest} more`] : [])].join(separator);
}

/** A path in code marks, without what would end a table's cell. */
function quoted(path: string): string {
  const text = printable(byteString(Buffer.from(path === "/" ? "./" : path.slice(1), "latin1")));
  return `\`${shortened(text).replaceAll("`", "'").replaceAll("|", "\\|")}\``;
}

function shortened(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
