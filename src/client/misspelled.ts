import { InvalidArgumentError, type CommanderError, type Command } from "commander";
import { nearest } from "../base/nearest.ts";
import { leavesOf, type CommandSpec } from "./command-spec.ts";
import { commandAt, strayAt } from "./completion/complete.ts";
import { doneElsewhere, programWord, verbHere, verbsFor } from "./other-words.ts";

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

/** What may have been meant by a command that is unknown where it stands: commands to be copied, or a sentence. */
export interface Meant {
  readonly commands: readonly string[];
  readonly hint?: string;
}

/**
 * For a command that is unknown where it stands, as in `banger inspect x`, `banger pull debian` or `banger image remove
 * x`: what it is called here, or the commands of that name that there are, with the words around it.
 *
 * @param words what was typed after the program's name
 */
export function elsewhere(root: CommandSpec, words: readonly string[], error: CommanderError): Meant {
  const at = error.code === "commander.unknownCommand" ? strayAt(root, words) : undefined;
  if (at === undefined) return { commands: [] };
  const [before, word, rest] = [words.slice(0, at), words[at] ?? "", words.slice(at + 1)];
  const group = commandAt(root, before);
  const line = (named: string): string => [root.name, ...before, named, ...rest].join(" ");
  const hint = doneElsewhere(group, word);
  if (hint !== undefined) return { commands: [], hint };
  const here = verbHere(group, word);
  if (here !== undefined) return { commands: [line(here)] };
  if (group === root) {
    const program = programWord(word);
    const names = program === undefined ? ofAnyGroup(root, [word, ...verbsFor(word)]) : [program];
    return { commands: names.map(line) };
  }
  // The group's name was meant as a command's, with what followed as its arguments.
  const groupAt = before.lastIndexOf(group.name);
  const [first, last] = [
    [root.name, ...before.slice(0, groupAt)].join(" "),
    words.slice(groupAt + 1).join(" "),
  ];
  const taking = leavesOf(root).filter(({ name, arguments: all }) => name === group.name && all.length > 0);
  return { commands: taking.map(({ path }) => `${first} ${path.slice(root.name.length + 1)} ${last}`) };
}

/** Commands of such a name, without the program's: those of the first name that any group has. */
function ofAnyGroup(root: CommandSpec, names: readonly string[]): readonly string[] {
  for (const wanted of names) {
    const found = leavesOf(root).filter(
      ({ name, path }) => name === wanted && path !== `${root.name} ${name}`,
    );
    if (found.length > 0) return found.map(({ path }) => path.slice(root.name.length + 1));
  }
  return [];
}
