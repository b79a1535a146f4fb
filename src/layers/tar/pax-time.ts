import type { Timestamp } from "../layer-index.ts";

/**
 * A PAX time, seconds with any number of decimals, negative too. Digits past the ninth are dropped, as Go does.
 * Undefined for anything else.
 */
export function paxTime(text: string): Timestamp | undefined {
  const match = /^(?<sign>-?)(?<whole>[0-9]{1,16})(?:\.(?<fraction>[0-9]*))?$/.exec(text)?.groups;
  if (match === undefined) return undefined;
  const whole = Number(match["whole"]);
  const nanoseconds = Number((match["fraction"] ?? "").slice(0, 9).padEnd(9, "0"));
  if (!Number.isSafeInteger(whole + 1)) return undefined;
  if (match["sign"] === "") return { seconds: whole, nanoseconds };
  // Rounded down: -1.25 is two seconds before 1970 and 0.75 after that.
  if (nanoseconds > 0) return { seconds: -whole - 1, nanoseconds: 1e9 - nanoseconds };
  return { seconds: whole === 0 ? 0 : -whole, nanoseconds: 0 };
}
