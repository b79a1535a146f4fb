import { InvalidArgumentError, type CommanderError, type Command } from "commander";
import { nearest } from "../base/nearest.ts";
import { leavesOf, type CommandSpec } from "./command-spec.ts";

/** Makes every option and argument with choices answer a wrong one with what was meant, in the whole program. */
export function suggestChoices(command: Command): void {
  for (const one of [...command.options, ...command.registeredArguments]) {
    const { argChoices } = one;
    if (argChoices !== undefined) one.argParser((word: string) => chosen(word, argChoices));
  }
  for (const sub of command.commands) suggestChoices(sub);
}

function chosen(word: string, choices: readonly string[]): string {
  if (choices.includes(word)) return word;
  const meant = nearest(word, choices);
  const suggestion = meant === undefined ? "" : ` (Did you mean ${meant}?)`;
  throw new InvalidArgumentError(`Allowed choices are ${choices.join(", ")}.${suggestion}`);
}

/** What other programs call these commands: in a group, the first of them that it has. */
const otherWords: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    add: ["import"],
    check: ["verify", "status"],
    clean: ["prune"],
    clear: ["prune"],
    delete: ["rm"],
    df: ["usage"],
    download: ["pull"],
    du: ["usage"],
    fetch: ["pull"],
    follow: ["watch"],
    gc: ["prune"],
    info: ["inspect", "status"],
    kill: ["cancel"],
    list: ["ls", "usage"],
    logs: ["watch"],
    ls: ["usage"],
    mv: ["rename"],
    remove: ["rm"],
    show: ["inspect", "status"],
    size: ["du", "usage"],
    stop: ["cancel"],
  }),
);

/**
 * For a command that has another name elsewhere, as `banger image remove x`, `banger images` or `banger daemon start`:
 * what it is called here, with the words that followed.
 *
 * @param at the command below which the word is unknown
 * @param words what was typed after the program's name
 */
export function otherwiseCalled(at: CommandSpec, words: readonly string[], error: CommanderError): string[] {
  if (error.code !== "commander.unknownCommand") return [];
  if (at.name === "daemon" && words.includes("start")) return ["bangerd"];
  for (const [position, word] of words.entries()) {
    const group = at.commands.find(({ name }) => `${name}s` === word);
    const meant = commandCalled(at, otherWords.get(word)) ?? (group && commandCalled(group, ["ls", "usage"]));
    if (meant !== undefined) return [[meant.path, ...words.slice(position + 1)].join(" ")];
  }
  return [];
}

/** The first that there is. */
function commandCalled(group: CommandSpec, names: readonly string[] = []): CommandSpec | undefined {
  return names.flatMap((name) => group.commands.find((command) => command.name === name) ?? []).at(0);
}

/**
 * For a command that is unknown where it stands, as in `banger inspect x` or `banger pull debian`: the commands of
 * that name that there are, with the words that followed.
 *
 * @param words what was typed after the program's name
 */
export function elsewhere(root: CommandSpec, words: readonly string[], error: CommanderError): string[] {
  if (error.code !== "commander.unknownCommand") return [];
  const [first = "", ...rest] = words;
  const group = root.commands.find(({ name }) => name === first);
  return leavesOf(root)
    .filter(({ name, path }) => name === first && path !== `${root.name} ${first}`)
    .filter((leaf) => group === undefined || leaf.arguments.length > 0)
    .map(({ path }) => [path, ...rest].join(" "));
}
