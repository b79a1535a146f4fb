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
