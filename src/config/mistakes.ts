import { BangerError, messageOf } from "../base/error.ts";

export const configOp = "read config";

/** Mistakes of one file that are told: more are more than anybody mends at once. */
export const maxMistakes = 20;

/** Something wrong with a config file. */
export function configError(
  message: string,
  details: {
    readonly hint?: string | undefined;
    readonly cause?: unknown;
    readonly facts?: Readonly<Record<string, string>>;
  } = {},
): BangerError {
  const { hint, ...others } = details;
  return new BangerError("CONFIG_INVALID", message, {
    op: configOp,
    ...others,
    ...(hint === undefined ? {} : { hint }),
  });
}

/**
 * One error of all that is wrong with a file: the mistake itself where there is one, else one that stands for each of
 * them (see `eachOf`), with the lines in its message and the keys in its fields.
 *
 * @param mistakes at least one, in the file's order
 * @param total of which those are the first
 */
export function allMistakes(path: string, mistakes: readonly BangerError[], total: number): BangerError {
  const [first] = mistakes;
  if (first !== undefined && total === 1) return first;
  const lines = mistakes.map(({ facts }) => facts["line"] ?? "?").join(", ");
  const untold = total - mistakes.length;
  const more =
    untold === 0
      ? []
      : [configError(`${path}: ${untold} more mistakes`, { hint: "Correct those above first." })];
  const beyond = untold === 0 ? "" : `, and ${untold} more`;
  return new BangerError("CONFIG_INVALID", `${path} has ${total} mistakes, in lines ${lines}${beyond}`, {
    op: configOp,
    hint: "Correct the configuration file in each of these places.",
    cause: new AggregateError([...mistakes, ...more], messageOf(first)),
    facts: { path },
    fields: mistakes.map(({ facts, message, hint }) => ({
      field: facts["key"] ?? "",
      description: `${message}. ${hint}`,
    })),
  });
}
