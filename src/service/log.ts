import { jsonText } from "../base/json-text.ts";

/** What happened, with particulars that are safe to show: no secret, no URL's query. */
export interface Log {
  info(event: string, facts?: LogFacts): void;
  warn(event: string, facts?: LogFacts): void;
  error(event: string, facts?: LogFacts): void;
}

export type LogFacts = Readonly<Record<string, string | number | readonly string[]>>;

/** One line an event: `2026-11-23T07:00:00.000Z info serving socket="/run/x.sock"`. Values are JSON, so that one stays one line. */
export function lineLog(write: (line: string) => void, now: () => Date = () => new Date()): Log {
  const line =
    (level: string) =>
    (event: string, facts: LogFacts = {}): void => {
      const pairs = Object.entries(facts).map(([name, value]) => ` ${name}=${jsonText(value)}`);
      write(`${now().toISOString()} ${level} ${event}${pairs.join("")}\n`);
    };
  return { info: line("info"), warn: line("warn"), error: line("error") };
}

/** Says nothing: for a daemon inside another program. */
export const silentLog: Log = { info: () => {}, warn: () => {}, error: () => {} };
