import type { Command } from "commander";
import { examplesOf, type Example } from "./examples.ts";

/** What a word stands for, as its `<name>` in the help tells. */
export type ValueKind = "file" | "folder" | "image" | "kernel" | "pull" | "reference" | "text";

export interface ValueSpec {
  /** As in the help, with no brackets. */
  readonly name: string;
  readonly kind: ValueKind;
  readonly choices: readonly string[];
}

export interface OptionSpec {
  /** As the help has them, `-q, --quiet`. */
  readonly flags: string;
  /** What may be typed: `-q` and `--quiet`. */
  readonly words: readonly string[];
  readonly description: string;
  /** Undefined for a switch. */
  readonly value: ValueSpec | undefined;
  readonly defaultText: string | undefined;
}

export interface ArgumentSpec extends ValueSpec {
  readonly description: string;
  readonly required: boolean;
  readonly variadic: boolean;
}

/** A command line's grammar as plain data: what help, completion and the manual are made of. */
export interface CommandSpec {
  /** `banger image pull`. */
  readonly path: string;
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionSpec[];
  readonly arguments: readonly ArgumentSpec[];
  readonly examples: readonly Example[];
  readonly commands: readonly CommandSpec[];
}

const kindOfName: Readonly<Record<string, ValueKind>> = {
  file: "file",
  path: "file",
  folder: "folder",
  image: "image",
  "other-image": "image",
  kernel: "kernel",
  ref: "reference",
  id: "pull",
};

/** What of a program people may type; hidden commands and options are left out. */
export function commandSpec(command: Command, parents: readonly string[] = []): CommandSpec {
  const help = command.createHelp();
  const path = [...parents, command.name()];
  // Commander's own `help` repeats every command, and `--help` does the same.
  const commands = help.visibleCommands(command).filter((sub) => sub.name() !== "help");
  return {
    path: path.join(" "),
    name: command.name(),
    description: command.description(),
    options: help.visibleOptions(command).map((option) => ({
      flags: option.flags,
      words: [option.short, option.long].filter((word) => word !== undefined),
      description: option.description,
      value:
        option.required || option.optional
          ? valueSpec(/[<[]([^>\]]+)/.exec(option.flags)?.[1] ?? "", option.argChoices)
          : undefined,
      defaultText: typeof option.defaultValue === "string" ? option.defaultValue : undefined,
    })),
    arguments: command.registeredArguments.map((argument) => ({
      ...valueSpec(argument.name(), argument.argChoices, path),
      description: argument.description,
      required: argument.required,
      variadic: argument.variadic,
    })),
    examples: examplesOf(path.join(" ")),
    commands: commands.map((sub) => commandSpec(sub, path)),
  };
}

/** The commands that do something; a command with commands only groups them. */
export function leavesOf(spec: CommandSpec): readonly CommandSpec[] {
  return spec.commands.length === 0 ? [spec] : spec.commands.flatMap(leavesOf);
}

function valueSpec(text: string, choices: readonly string[] = [], path: readonly string[] = []): ValueSpec {
  const name = text.replace(/\.\.\.$/, "");
  // A `<path>` after an image is one inside it, of which this machine's files tell nothing.
  const kind = name === "path" && path.includes("image") ? "text" : (kindOfName[name] ?? "text");
  return { name, kind, choices };
}
