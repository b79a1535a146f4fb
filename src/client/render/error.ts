import { eachOf, type BangerError } from "../../base/error.ts";
import { paint, type Span } from "./paint.ts";
import { displayWidth, safeText, wrapWords } from "./text.ts";
import { formatDuration } from "./units.ts";

/**
 * An error for a person: what happened, what is wrong with each field, what to do. Never a stack. One that stands for
 * several is told as those.
 *
 * @param columns that a line may take; undefined for as long as it gets
 */
export function errorLines(error: BangerError, colour: boolean, columns?: number): string[] {
  return eachOf(error).flatMap((one) => linesOf(one, colour, columns));
}

function linesOf(error: BangerError, colour: boolean, columns: number | undefined): string[] {
  // A violation that only repeats the message tells nothing.
  const fields = error.fields.filter(
    ({ description }) => !error.message.includes(withoutSubject(description)),
  );
  const retry =
    error.retryAfterMs === undefined ? [] : [`Try again in ${formatDuration(error.retryAfterMs)}.`];
  const hints = [...retry, ...(error.hint === "" ? [] : [error.hint])];
  return [
    ...hang(paint(label, colour), label.text, error.message, columns),
    ...fields.flatMap(({ field, description }) => {
      const lead = `  ${safeText(field)}:`;
      return hang(lead, lead, description, columns);
    }),
    ...hints.flatMap((hint) => hintLines(hint, colour, columns)),
  ];
}

/** What to do, under what was told before. */
export function hintLines(hint: string, colour: boolean, columns?: number): string[] {
  return hang(paint(arrow, colour), arrow.text, hint, columns);
}

/**
 * A command line that can't be right: what is wrong with it, what to do, and commands that may have been meant, which
 * stay whole, to be copied.
 */
export function usageLines(
  message: string,
  { hint, commands }: { readonly hint: string | undefined; readonly commands: readonly string[] },
  colour: boolean,
  columns?: number,
): string[] {
  const lead = paint(arrow, colour);
  return [
    ...hang(paint(label, colour), label.text, message, columns),
    ...(hint === undefined ? [] : hintLines(hint, colour, columns)),
    ...commands.map((command) => `${lead} ${safeText(command)}`),
  ];
}

/** "It is negative." of a message that says "size_bytes is negative". */
function withoutSubject(description: string): string {
  return description.replace(/^It /, "").replace(/\.$/, "");
}

const label: Span = { text: "banger:", style: "red" };
const arrow: Span = { text: "  →", style: "cyan" };

/** Under the message what belongs to it, in from the edge; under a hint its own text. */
function hang(painted: string, lead: string, text: string, columns: number | undefined): string[] {
  const indent = displayWidth(lead) + 1;
  const room = columns === undefined ? Number.POSITIVE_INFINITY : Math.max(1, columns - indent);
  const [first = "", ...more] = wrapWords(safeText(text), room);
  return [`${painted} ${first}`, ...more.map((line) => `${" ".repeat(Math.min(indent, 4))}${line}`)];
}
