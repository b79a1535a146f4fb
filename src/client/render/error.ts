import type { BangerError } from "../../base/error.ts";
import { paint } from "./paint.ts";
import { safeText } from "./text.ts";
import { formatDuration } from "./units.ts";

/** An error for a person: what happened, what is wrong with each field, what to do. Never a stack. */
export function errorLines(error: BangerError, colour: boolean): string[] {
  // A violation that only repeats the message tells nothing.
  const fields = error.fields.filter(({ description }) => !error.message.includes(description));
  const lines = [
    `${paint({ text: "banger:", style: "red" }, colour)} ${safeText(error.message)}`,
    ...fields.map(({ field, description }) => `  ${safeText(field)}: ${safeText(description)}`),
  ];
  if (error.retryAfterMs !== undefined) {
    lines.push(`  → Try again in ${formatDuration(error.retryAfterMs)}.`);
  }
  if (error.hint !== "") {
    lines.push(`  ${paint({ text: "→", style: "cyan" }, colour)} ${safeText(error.hint)}`);
  }
  return lines;
}
