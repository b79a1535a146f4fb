import type { BangerError } from "../../base/error.ts";
import { paint, type Span } from "./paint.ts";
import { displayWidth, safeText, wrapWords } from "./text.ts";
import { formatDuration } from "./units.ts";

/**
 * An error for a person: what happened, what is wrong with each field, what to do. Never a stack.
 *
 * @param columns that a line may take; undefined for as long as it gets
 */
export function errorLines(error: BangerError, colour: boolean, columns?: number): string[] {
  // A violation that only repeats the message tells nothing.
  const fields = error.fields.filter(({ description }) => !error.message.includes(description));
  const hang = (lead: Span, text: string): string[] => {
    const indent = displayWidth(lead.text) + 1;
    const room = columns === undefined ? Number.POSITIVE_INFINITY : Math.max(1, columns - indent);
    const [first = "", ...more] = wrapWords(safeText(text), room);
    // Under the message what belongs to it, in from the edge; under a hint its own text.
    return [
      `${paint(lead, colour)} ${first}`,
      ...more.map((line) => `${" ".repeat(Math.min(indent, 4))}${line}`),
    ];
  };
  const arrow: Span = { text: "  →", style: "cyan" };
  return [
    ...hang({ text: "banger:", style: "red" }, error.message),
    ...fields.flatMap(({ field, description }) => hang({ text: `  ${safeText(field)}:` }, description)),
    ...(error.retryAfterMs === undefined
      ? []
      : hang(arrow, `Try again in ${formatDuration(error.retryAfterMs)}.`)),
    ...(error.hint === "" ? [] : hang(arrow, error.hint)),
  ];
}
