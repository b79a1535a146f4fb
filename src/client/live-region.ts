import { sizeOf } from "./terminal.ts";
import { hideCursor, repaint, showCursor, type Painted } from "./render/repaint.ts";

/** The lines at the end of a terminal that change. Disposing of it leaves them where they are. */
export interface LiveRegion extends Disposable {
  /** No line may be wider than the terminal, and they may not be as many as its rows. */
  draw(lines: readonly string[]): void;
}

/** The cursor is hidden meanwhile, and comes back whichever way the process ends. */
export function openLiveRegion(
  stream: NodeJS.WritableStream & { readonly columns?: number; readonly rows?: number },
): LiveRegion {
  let painted: Painted = { lines: [], width: sizeOf(stream).columns };
  const restore = (): void => {
    stream.write(showCursor);
  };
  process.once("exit", restore);
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
      restore();
    },
  };
}
