import { sizeOf } from "./terminal.ts";
import { hideCursor, repaint, showCursor, type Painted } from "./render/repaint.ts";

/** The lines at the end of a terminal that change. Disposing of it leaves them where they are. */
export interface LiveRegion extends Disposable {
  /** No line may be wider than the terminal, and they may not be as many as its rows. */
  draw(lines: readonly string[]): void;
}

/**
 * The cursor is hidden meanwhile, and comes back whichever way the process ends, or is stopped by Ctrl-Z. Once it goes on,
 * the lines are drawn anew, below what the shell has written since.
 */
export function openLiveRegion(
  stream: NodeJS.WritableStream & { readonly columns?: number; readonly rows?: number },
): LiveRegion {
  const nothing = (): Painted => ({ lines: [], width: sizeOf(stream).columns });
  let painted = nothing();
  const restore = (): void => {
    stream.write(showCursor);
  };
  const onStop = (): void => {
    restore();
    stopProcess(onStop);
    painted = nothing();
    stream.write(hideCursor);
  };
  process.once("exit", restore);
  process.on("SIGTSTP", onStop);
  stream.write(hideCursor);
  return {
    draw: (lines) => {
      const next = { lines, width: sizeOf(stream).columns };
      const sequence = repaint(painted, next);
      painted = next;
      if (sequence !== "") stream.write(sequence);
    },
    [Symbol.dispose]: () => {
      process.off("exit", restore);
      process.off("SIGTSTP", onStop);
      restore();
    },
  };
}

/** Stops as without a listener, and returns when the process goes on: the signal is delivered before `kill` returns. */
function stopProcess(listener: () => void): void {
  process.off("SIGTSTP", listener);
  process.kill(process.pid, "SIGTSTP");
  process.on("SIGTSTP", listener);
}
