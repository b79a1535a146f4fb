import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BangerError, hasReason } from "../../base/error.ts";
import { runInSlices } from "../../base/slices.ts";
import type { RootTree } from "../../layers/root-tree.ts";
import { Ext4Image } from "../read/image.ts";
import { runScript, scriptFailure, type Command, type ScriptContext } from "./debugfs.ts";
import { compareImage, shownPath, type Difference } from "./difference.ts";
import { lateNames, makesName } from "./late-names.ts";

/** Named in full in the failure's message; more would not help anybody. */
const shownDifferences = 5;

/**
 * Brings the image to what the tree says: what mkfs could not name first, then everything that differs, by inode
 * number. Each script is made from what was read back before it, and the last reading must find no difference.
 *
 * @returns how many commands that took
 * @throws BangerError E2FSPROGS_FAILED, VERIFY_FAILED
 */
export async function reconcile(tree: RootTree, context: ScriptContext): Promise<number> {
  const values = new ValueFiles(context.tempDir);
  const compare = async (): Promise<Difference> => {
    using image = Ext4Image.open(context.image);
    const difference = await runInSlices(
      compareImage(tree, image, (value) => values.path(value)),
      context.signal,
    );
    if (difference.faults.length > 0) throw differs("mkfs.ext4 made", difference.faults);
    return difference;
  };
  let applied = 0;
  const apply = async (commands: readonly Command[], remaining: RemainingCommands): Promise<void> => {
    await values.write();
    const before = applied;
    const onCommands = (done: number, total: number): void =>
      context.onCommands(before + done, before + total);
    try {
      await runScript(commands, { ...context, onCommands });
    } catch (error) {
      throw hasReason(error, "E2FSPROGS_FAILED") ? await located(error, compare, remaining) : error;
    }
    applied += commands.length;
  };
  let difference = await compare();
  if (difference.missing.length > 0) {
    await apply(lateNames(difference), namesLeft);
    difference = await compare();
    const [first] = namesLeft(difference);
    if (first !== undefined) throw scriptFailure(first, "it had no effect");
    const lost = difference.missing.map(({ place }) => `${shownPath(place)} is missing`);
    if (lost.length > 0) throw differs("mkfs.ext4 made", lost);
  }
  const { commands } = difference;
  await apply(commands, (rest) => rest.commands);
  const rest = await compare();
  const left = [...namesLeft(rest), ...rest.commands].map(({ text, subject }) => `${subject()} (${text})`);
  if (left.length > 0) throw differs("debugfs left", left);
  return applied;
}

function namesLeft(difference: Difference): readonly Command[] {
  return lateNames(difference).filter(makesName);
}

type RemainingCommands = (difference: Difference) => readonly Command[];

/** debugfs does not say which command it complains about: the first that had no effect is the one. */
async function located(
  error: BangerError,
  compare: () => Promise<Difference>,
  remaining: RemainingCommands,
): Promise<BangerError> {
  const { stderr = "", command } = error.facts;
  if (command !== "") return error;
  try {
    const [first] = remaining(await compare());
    return first === undefined ? error : scriptFailure(first, stderr, stderr);
  } catch {
    // The image is broken beyond reading: what debugfs said is the better report.
    return error;
  }
}

function differs(who: string, all: readonly string[]): BangerError {
  const shown = all.slice(0, shownDifferences).join("; ");
  const more = all.length > shownDifferences ? `; and ${all.length - shownDifferences} more` : "";
  return new BangerError("VERIFY_FAILED", `what ${who} differs from the image: ${shown}${more}`, {
    op: "apply ownership",
    hint: "Report this with the message above; meanwhile, build with --builder direct.",
    facts: { differences: String(all.length) },
  });
}

/** Values of xattrs, one file for all that are equal. */
class ValueFiles {
  readonly #folder: string;
  readonly #paths = new Map<string, string>();
  #unwritten: { readonly path: string; readonly value: Buffer }[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  path(value: Buffer): string {
    const key = value.toString("latin1");
    const known = this.#paths.get(key);
    if (known !== undefined) return known;
    const path = join(this.#folder, `value-${this.#paths.size}`);
    this.#paths.set(key, path);
    this.#unwritten.push({ path, value });
    return path;
  }

  async write(): Promise<void> {
    const files = this.#unwritten;
    this.#unwritten = [];
    for (const { path, value } of files) await writeFile(path, value, { flag: "wx", mode: 0o600 });
  }
}
