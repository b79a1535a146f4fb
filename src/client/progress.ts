import type { PullEvent } from "../../gen/banger/image/v1/pull_pb.ts";
import { eventLine } from "./render/json.ts";
import { plainLine } from "./render/plain.ts";
import { emptyPull, reducePull } from "./render/pull-model.ts";
import { drawPull } from "./render/pull-view.ts";
import { printLines, stderrColour, type Terminal } from "./terminal.ts";

export const progressModes = ["auto", "tty", "plain", "json"] as const;

export type ProgressMode = (typeof progressModes)[number];

/** Shows a pull on stderr while it goes. Disposing of it leaves the last state on the screen. */
export interface PullProgress extends Disposable {
  show(event: PullEvent): void;
}

/** A frame for every tenth of a second: the eye sees no more, and each one is a write. */
const frameMs = 100;

export async function openProgress(mode: ProgressMode, terminal: Terminal): Promise<PullProgress> {
  const auto = terminal.stderr.isTTY === true && terminal.env["TERM"] !== "dumb" ? "tty" : "plain";
  switch (mode === "auto" ? auto : mode) {
    case "tty":
      return openLiveProgress(terminal);
    case "json":
      return lineProgress(terminal, eventLine);
    default:
      return lineProgress(terminal, plainLine);
  }
}

export const silentProgress: PullProgress = { show: () => {}, [Symbol.dispose]: () => {} };

function lineProgress(terminal: Terminal, toLine: (event: PullEvent) => string | undefined): PullProgress {
  return {
    show: (event) => {
      const line = toLine(event);
      if (line !== undefined) printLines(terminal.stderr, [line]);
    },
    [Symbol.dispose]: () => {},
  };
}

async function openLiveProgress(terminal: Terminal): Promise<PullProgress> {
  const { createLogUpdate } = await import("log-update");
  const { stderr } = terminal;
  const write = createLogUpdate(stderr);
  const colour = stderrColour(terminal);
  let model = emptyPull;
  const draw = (): void => {
    const frame = { width: stderr.columns ?? 80, rows: (stderr.rows ?? 24) - 1, now: Date.now(), colour };
    write(drawPull(model, frame).join("\n"));
  };
  const timer = setInterval(draw, frameMs);
  return {
    show: (event) => {
      model = reducePull(model, event);
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      draw();
      write.done();
    },
  };
}
