import { pino } from "pino";
import { jsonText } from "../base/json-text.ts";
import type { LogFormat, LogLevel, LogSettings } from "../config/settings.ts";

/** What happened, with particulars that are safe to show: no secret, no URL's query. */
export interface Log {
  debug(event: string, facts?: LogFacts): void;
  info(event: string, facts?: LogFacts): void;
  warn(event: string, facts?: LogFacts): void;
  error(event: string, facts?: LogFacts): void;
}

export type LogFacts = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** Where a daemon tells things. */
export interface DaemonLogs {
  readonly log: Log;
  /** What a start lost, failed or removed, because the daemon before it was killed or somebody's hands were there. */
  readonly recovery: Log;
}

/** A log whose level and format can change while it is used. */
export interface AdjustableLog extends Log {
  adjust(settings: LogSettings): void;
}

/** What pino makes of one call, before it becomes a line. */
type Entry = Readonly<Record<string, unknown>>;

/**
 * A log that writes one line an event. The levels and the JSON are pino's; `text` puts the same entry into a line for
 * people: `2026-11-23T07:00:00.000Z info serving socket="/run/x.sock"`. Its values are JSON, so that one stays one line.
 */
export function daemonLog(
  write: (line: string) => void,
  settings: LogSettings,
  now: () => Date = () => new Date(),
): AdjustableLog {
  let format: LogFormat = settings.format;
  const logger = pino(
    {
      level: settings.level,
      base: null,
      messageKey: "event",
      timestamp: () => `,"time":${jsonText(now().toISOString())}`,
      formatters: { level: (level) => ({ level }) },
    },
    // Every line is written before the call returns: the last one before a crash is the one that is needed.
    { write: (line: string) => write(format === "json" ? jsonLine(line) : textLine(line)) },
  );
  const at =
    (level: LogLevel) =>
    (event: string, facts: LogFacts = {}): void =>
      logger[level](facts, event);
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    adjust: (next) => {
      logger.level = next.level;
      format = next.format;
    },
  };
}

/** Everything from `info` on, for people. */
export function lineLog(write: (line: string) => void, now?: () => Date): AdjustableLog {
  return daemonLog(write, { level: "info", format: "text" }, now);
}

/** Pino's line, with what could move a terminal's cursor escaped too. */
function jsonLine(line: string): string {
  return `${jsonText(entryOf(line))}\n`;
}

/** Pino's line is one JSON object, made a moment ago. */
function entryOf(line: string): Entry {
  const entry: Entry = JSON.parse(line);
  return entry;
}

function textLine(line: string): string {
  const { time, level, event, ...facts } = entryOf(line);
  const pairs = Object.entries(facts).map(([name, value]) => ` ${name}=${jsonText(value)}`);
  return `${String(time)} ${String(level)} ${String(event)}${pairs.join("")}\n`;
}

/** Says nothing: for a daemon inside another program. */
export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
