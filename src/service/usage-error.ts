import type { Command, CommanderError } from "commander";

/** A command line that can't be right, as it is told. */
export interface UsageError {
  readonly message: string;
  /** What may have been meant, as a sentence; undefined where nothing is near. */
  readonly meant: string | undefined;
}

/** Keeps commander from telling usage errors in its own words: whoever catches them tells them like all others. */
export function tellNoUsageErrors(command: Command): Command {
  return command.configureOutput({ outputError: () => {} });
}

/**
 * Undefined where there is none: help and version end by a CommanderError too, and so does a command that only groups
 * others, whose help has been shown.
 */
export function usageErrorOf({ code, message }: CommanderError): UsageError | undefined {
  if (code === "commander.help" || code === "commander.helpDisplayed" || code === "commander.version") {
    return undefined;
  }
  const parts = /^(?:error: )?(?<what>[^]*?)(?:\s*\((?<meant>Did you mean [^\n]*)\))?\s*$/.exec(
    message,
  )?.groups;
  return { message: parts?.["what"] ?? message, meant: parts?.["meant"] };
}
