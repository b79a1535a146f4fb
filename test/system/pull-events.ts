import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { join } from "node:path";
import type { DaemonHome } from "./daemon-process.ts";

const banger = join(import.meta.dirname, "..", "..", "src", "bin", "banger.js");

/** One line of `image pull --progress json`, as far as tests look into it. */
export interface EventLine {
  /** Name of the event, as `layerFetched`; `error` for the last line of a pull that failed. */
  readonly kind: string;
  readonly body: Readonly<Record<string, unknown>>;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const envelope = new Set(["pullId", "sequence", "time", "stage"]);

function parseLine(line: string): EventLine | undefined {
  const value: unknown = JSON.parse(line);
  if (!isRecord(value)) return undefined;
  const kind = Object.keys(value).find((key) => !envelope.has(key));
  const body = kind === undefined ? undefined : value[kind];
  return kind === undefined || !isRecord(body) ? undefined : { kind, body };
}

export interface FollowedPull {
  readonly status: number | null;
  readonly events: readonly EventLine[];
}

/** Pulls with the CLI, and hands over every event when it comes. */
export async function followPull(
  home: DaemonHome,
  args: readonly string[],
  onEvent: (event: EventLine) => void = () => {},
): Promise<FollowedPull> {
  const words = [banger, "--socket", home.socket, "image", "pull", ...args, "--progress", "json"];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "ignore", "pipe"] });
  const closed = once(child, "close");
  const events: EventLine[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    const event = line.startsWith("{") ? parseLine(line) : undefined;
    if (event === undefined) continue;
    events.push(event);
    onEvent(event);
  }
  await closed;
  return { status: child.exitCode, events };
}
