import type { KernelProgress } from "../../gen/banger/image/v1/kernel_service_pb.ts";
import { speaksUtf8 } from "../base/locale.ts";
import { asciiText } from "./render/ascii.ts";
import { kernelProgressText } from "./render/kernel-text.ts";
import { truncate } from "./render/text.ts";
import { printLines, sizeOf, type Terminal } from "./terminal.ts";

/** Shows how far a kernel's fetch is, on stderr: one line that changes on a terminal, one at the end elsewhere. */
export interface ShownProgress extends Disposable {
  show(progress: KernelProgress): void;
  /** It is whole: leaves the last state on the screen. */
  end(): void;
}

/** Goes to the line's beginning and clears it (ECMA-48, EL). */
const clearLine = "\r\u001b[K";

export function openKernelProgress(terminal: Terminal): ShownProgress {
  const { stderr, env } = terminal;
  const charset = speaksUtf8(env) ? (text: string) => text : asciiText;
  const live = stderr.isTTY === true && env["TERM"] !== "dumb";
  let last: KernelProgress | undefined;
  return {
    show: (progress) => {
      last = progress;
      // One column less: what fills a line has gone on to the next on some terminals.
      if (!live) return;
      stderr.write(clearLine + charset(truncate(kernelProgressText(progress), sizeOf(stderr).columns - 1)));
    },
    end: () => {
      if (last !== undefined) printLines(stderr, [`${live ? clearLine : ""}${kernelProgressText(last)}`]);
      last = undefined;
    },
    [Symbol.dispose]: () => {
      if (live && last !== undefined) stderr.write(clearLine);
    },
  };
}
