import type { PullEvent } from "../../gen/banger/image/v1/pull_pb.ts";
import { speaksUtf8 } from "../base/locale.ts";
import { openLiveRegion } from "./live-region.ts";
import { asciiText } from "./render/ascii.ts";
import { eventLine } from "./render/json.ts";
import { plainLine } from "./render/plain.ts";
import { emptyPull, reducePull } from "./render/pull-model.ts";
import { drawPull } from "./render/pull-view.ts";
import { printLines, showLines, sizeOf, stderrColour, type Terminal } from "./terminal.ts";

export const progressModes = ["auto", "tty", "plain", "json"] as const;

export type ProgressMode = (typeof progressModes)[number];

/** Shows a pull on stderr while it goes. Disposing of it leaves the last state on the screen. */
export interface PullProgress extends Disposable {
  show(event: PullEvent): void;
  /** Shows what is waited for, until the next event; undefined where there is no picture to have it. */
  readonly waits?: (what: string) => void;
  /** What is printed next on the same terminal says it all: a live picture goes. */
  giveWay(): void;
}

/** A frame for every tenth of a second: the eye sees no more, and each one is a write. */
const frameMs = 100;

export function openProgress(mode: ProgressMode, terminal: Terminal): PullProgress {
  const auto = terminal.stderr.isTTY === true && terminal.env["TERM"] !== "dumb" ? "tty" : "plain";
  switch (mode === "auto" ? auto : mode) {
    case "tty":
      return openLiveProgress(terminal);
    case "json":
      return lineProgress(eventLine, (line) => printLines(terminal.stderr, [line]));
    default:
      return lineProgress(plainLine, (line) => showLines(terminal, "stderr", [line]));
  }
}

export const silentProgress: PullProgress = {
  show: () => {},
  giveWay: () => {},
  [Symbol.dispose]: () => {},
};

function lineProgress(
  toLine: (event: PullEvent) => string | undefined,
  print: (line: string) => void,
): PullProgress {
  return {
    show: (event) => {
      const line = toLine(event);
      if (line !== undefined) print(line);
    },
    giveWay: () => {},
    [Symbol.dispose]: () => {},
  };
}

function openLiveProgress(terminal: Terminal): PullProgress {
  const { stderr } = terminal;
  const region = openLiveRegion(stderr);
  const colour = stderrColour(terminal);
  const charset = speaksUtf8(terminal.env) ? (line: string) => line : asciiText;
  let gone = false;
  let model = emptyPull;
  const draw = (over = false): void => {
    const { columns, rows } = sizeOf(stderr);
    // The cursor stands in the row below.
    const frame = { width: columns, rows: rows - 1, now: Date.now(), colour, over };
    region.draw(drawPull(model, frame).map(charset));
  };
  const timer = setInterval(() => draw(), frameMs);
  return {
    show: (event) => {
      model = reducePull(model, event);
    },
    waits: (what) => {
      model = { ...model, waiting: { position: 0, why: `for ${what}` } };
    },
    giveWay: () => {
      gone = true;
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      if (gone) region.draw([]);
      else draw(true);
      region[Symbol.dispose]();
    },
  };
}
