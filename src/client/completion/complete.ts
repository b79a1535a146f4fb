import type { CommandSpec, OptionSpec, ValueKind, ValueSpec } from "../command-spec.ts";
import { localSchemes } from "../reference.ts";

export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** What may stand where the cursor is. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  /** What else fits, which this machine or the daemon knows. */
  readonly also: Exclude<ValueKind, "reference" | "text"> | undefined;
  /** What has been typed of the word. */
  readonly prefix: string;
}

/** Where a command line stands after some whole words. */
interface Position {
  readonly command: CommandSpec;
  readonly lineage: readonly CommandSpec[];
  /** Arguments that the command has been given. */
  readonly given: number;
  /** The option that waits for its value. */
  readonly pending: OptionSpec | undefined;
  /** After `--` nothing is an option. */
  readonly onlyArguments: boolean;
  /** After `help`, which takes the name of a command. */
  readonly helping: boolean;
}

/**
 * @param words what has been typed after the program's name; the last is the one under the cursor, and may be empty
 */
export function complete(root: CommandSpec, words: readonly string[]): Completion {
  const prefix = words.at(-1) ?? "";
  const position = positionAfter(root, words.slice(0, -1));
  const { command, pending, onlyArguments } = position;
  if (pending?.value !== undefined) return ofValue(pending.value, prefix, "");
  const assigned = /^(--[^=]+)=(.*)$/s.exec(prefix);
  if (assigned !== null && !onlyArguments) {
    const option = findOption(position, assigned[1] ?? "");
    const typed = assigned[2] ?? "";
    return option?.value === undefined
      ? { candidates: [], also: undefined, prefix }
      : ofValue(option.value, typed, `${assigned[1]}=`);
  }
  if (prefix.startsWith("-") && !onlyArguments && !position.helping) return ofOptions(position, prefix);
  if (command.commands.length > 0 && position.given === 0) {
    const candidates = command.commands.map(({ name, description }) => ({ word: name, description }));
    return { candidates: matching(candidates, prefix), also: undefined, prefix };
  }
  const argument = command.arguments[position.given] ?? lastVariadic(command);
  return argument === undefined ? { candidates: [], also: undefined, prefix } : ofValue(argument, prefix, "");
}

/** The command that a line is one of, as far as it can be told. */
export function commandAt(root: CommandSpec, words: readonly string[]): CommandSpec {
  return positionAfter(root, words).command;
}

/** Where in a line the word is that should be a command of a group, and is none; undefined where there is none such. */
export function strayAt(root: CommandSpec, words: readonly string[]): number | undefined {
  const at = words.findIndex((_, index) => {
    const { command, given } = positionAfter(root, words.slice(0, index + 1));
    return command.commands.length > 0 && given > 0;
  });
  return at < 0 ? undefined : at;
}

function positionAfter(root: CommandSpec, words: readonly string[]): Position {
  return words.reduce(step, {
    command: root,
    lineage: [root],
    given: 0,
    pending: undefined,
    onlyArguments: false,
    helping: false,
  });
}

function step(position: Position, word: string): Position {
  const { command, pending, onlyArguments } = position;
  if (pending !== undefined) return { ...position, pending: undefined };
  if (!onlyArguments && word === "--") return { ...position, onlyArguments: true };
  if (!onlyArguments && word.startsWith("-")) {
    const option = findOption(position, word);
    return option?.value === undefined ? position : { ...position, pending: option };
  }
  const sub = position.helping ? undefined : command.commands.find(({ name }) => name === word);
  const isHelp = word === "help" && command.commands.length > 0 && position.given === 0;
  if (isHelp && !position.helping) return { ...position, helping: true };
  if (sub === undefined) return { ...position, given: position.given + 1 };
  return { ...position, command: sub, lineage: [...position.lineage, sub], given: 0 };
}

/** Options of the commands above count as well: `banger image ls --socket P` is understood. */
function findOption({ lineage }: Position, word: string): OptionSpec | undefined {
  return lineage.flatMap(({ options }) => options).findLast(({ words }) => words.includes(word));
}

function lastVariadic({ arguments: all }: CommandSpec): ValueSpec | undefined {
  const last = all.at(-1);
  return last?.variadic === true ? last : undefined;
}

function ofOptions({ command, lineage }: Position, prefix: string): Completion {
  // The program's own come last: they are the same everywhere.
  const options = [command, ...lineage.filter((one) => one !== command)].flatMap((one) => one.options);
  const long = options.map(({ words, description }) => ({ word: words.at(-1) ?? "", description }));
  const unique = long.filter(({ word }, at) => long.findIndex((other) => other.word === word) === at);
  return { candidates: matching(unique, prefix), also: undefined, prefix };
}

function ofValue({ kind, choices }: ValueSpec, typed: string, before: string): Completion {
  const fitting = choices.filter((choice) => choice.startsWith(typed));
  return {
    candidates: fitting.map((choice) => ({ word: before + choice, description: "" })),
    also: alsoOf(kind, typed),
    prefix: typed,
  };
}

/** What of this machine comes after a scheme; after a second colon comes a tag. */
const local: Readonly<Record<string, "file" | "folder">> = { ...localSchemes, deb: "file" };

function alsoOf(kind: ValueKind, typed: string): Completion["also"] {
  if (kind === "text") return undefined;
  if (kind !== "reference" && kind !== "kernel") return kind;
  const scheme = /^([a-z-]+):[^:]*$/.exec(typed)?.[1] ?? "";
  const after = Object.hasOwn(local, scheme) ? local[scheme] : undefined;
  return after ?? (kind === "kernel" && !typed.includes(":") ? kind : undefined);
}

function matching(candidates: readonly Candidate[], prefix: string): readonly Candidate[] {
  return candidates.filter(({ word }) => word.startsWith(prefix));
}
