import type { Digest } from "../base/digest.ts";
import { BangerError, asBangerError, type ErrorDetails } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { sideBySide } from "../base/side-by-side.ts";
import { runInSlices } from "../base/slices.ts";
import type { RootTree } from "../layers/root-tree.ts";
import { digestOfImage } from "./image-digest.ts";
import { fsck, fsckIfThere, type FsckReport } from "./fsck.ts";
import { Ext4Image } from "./read/image.ts";
import { compareTree, type VerifyDepth, type VerifyReport } from "./verify/compare-tree.ts";
import type { Difference } from "./verify/differences.ts";

export { compareTree } from "./verify/compare-tree.ts";
export type { CompareOptions, VerifyDepth, VerifyReport } from "./verify/compare-tree.ts";
export type { Difference } from "./verify/differences.ts";

export interface VerifyInput {
  /** Of the image. */
  readonly path: string;
  /** What the image must hold. */
  readonly tree: RootTree;
  readonly depth: VerifyDepth;
  readonly limits: Limits;
  readonly signal: AbortSignal;
  readonly maxDifferences?: number;
  /** What was built without the e2fsprogs must not fail for want of e2fsck: then our reader alone has looked. */
  readonly fsckMayBeMissing?: boolean;
}

/** Two independent opinions: our reader's against the tree, and e2fsck's on the structures. */
export interface Verdict extends VerifyReport {
  readonly fsck: FsckReport;
}

const op = "verify image";
/** Differences quoted in an error. */
const quoted = 3;

/**
 * Reads the image back and runs `e2fsck -fn`, side by side. What is wrong with the image is in the verdict.
 *
 * @throws BangerError FILESYSTEM_CORRUPT where not even the superblock can be read, E2FSPROGS_MISSING, CANCELLED.
 */
export async function inspectImage(input: VerifyInput): Promise<Verdict> {
  const { path, tree, depth, limits, maxDifferences } = input;
  using image = Ext4Image.open(path);
  const options = maxDifferences === undefined ? { depth } : { depth, maxDifferences };
  const check = input.fsckMayBeMissing === true ? fsckIfThere : fsck;
  try {
    const [report, checked] = await sideBySide(input.signal, (signal) => [
      runInSlices(compareTree(image, tree, options), signal),
      check(path, { limits, signal }),
    ]);
    return { ...report, fsck: checked };
  } catch (error) {
    throw asBangerError(error, op);
  }
}

/**
 * `inspectImage`, for those who can't go on with an image that is wrong.
 *
 * @throws BangerError VERIFY_FAILED naming the first differences, besides what `inspectImage` throws.
 */
export async function verifyImage(input: VerifyInput): Promise<Verdict> {
  const verdict = await inspectImage(input);
  const [first] = verdict.differences;
  if (first === undefined && verdict.fsck.clean) return verdict;
  const details: ErrorDetails = {
    op,
    hint: "Build the image again; if it happens twice, report it with this message.",
    facts: first === undefined ? {} : { ...first },
  };
  throw new BangerError("VERIFY_FAILED", describe(verdict), details);
}

export interface Proof extends Verdict {
  /** Of the whole file; undefined where it is too large to be hashed. */
  readonly digest: Digest | undefined;
}

/** `verifyImage`, and the file's digest at the same time: on two cores that costs hardly more than either alone. */
export async function proveImage(input: VerifyInput): Promise<Proof> {
  const [verdict, digest] = await sideBySide(input.signal, (signal) => [
    verifyImage({ ...input, signal }),
    digestOfImage(input.path, input.limits, signal),
  ]);
  return { ...verdict, digest };
}

function describe({ differences, truncated, fsck: checked }: Verdict): string {
  const parts: string[] = [];
  if (differences.length > 0) {
    const count = `${truncated ? "more than " : ""}${differences.length}`;
    parts.push(
      `the image differs from its layers in ${count} places: ${quoteFirst(differences.map(describeOne))}`,
    );
  }
  if (!checked.clean) parts.push(`e2fsck found problems: ${quoteFirst(checked.problems)}`);
  return parts.join("; ");
}

function describeOne({ path, field, expected, found }: Difference): string {
  return `${path}: ${field} is ${found}, should be ${expected}`;
}

function quoteFirst(lines: readonly string[]): string {
  return lines.slice(0, quoted).join("; ") + (lines.length > quoted ? "; …" : "");
}
