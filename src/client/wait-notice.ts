import type { DescMethod } from "@bufbuild/protobuf";
import { wordsFor } from "./call-words.ts";
import type { Rpc } from "./rpc.ts";

/** How long a person takes silence for work, in milliseconds. */
const noticeMs = 2000;

/** Says what is waited for, once, where a daemon takes its time over the first word of an answer. */
export interface WaitNotice {
  /** Until it is disposed of, that is waited for: "the daemon to list images". */
  waitFor(what: string): Disposable;
  /** Until that is disposed of, `show` says it: a picture that is redrawn has lines of its own. */
  showBy(show: (what: string) => void): Disposable;
}

/** @param show says it where nobody else does */
export function waitNotice(show: (what: string) => void, afterMs: number = noticeMs): WaitNotice {
  let shownBy = show;
  let said = false;
  return {
    waitFor: (what) => {
      const timer = setTimeout(() => {
        if (!said) shownBy(what);
        said = true;
      }, afterMs);
      return { [Symbol.dispose]: () => clearTimeout(timer) };
    },
    showBy: (other) => {
      shownBy = other;
      return {
        [Symbol.dispose]: () => {
          shownBy = show;
        },
      };
    },
  };
}

/** The same calls, with a word about each that is not answered. */
export function noticed(rpc: Rpc, daemon: string, notice: WaitNotice): Rpc {
  const begin = ({ name }: DescMethod): Disposable => notice.waitFor(`${daemon} to ${wordsFor(name).does}`);
  return {
    unary: async (method, request, signal) => {
      using _waiting = begin(method);
      return await rpc.unary(method, request, signal);
    },
    stream: async function* (method, request, signal) {
      using waiting = begin(method);
      for await (const answer of rpc.stream(method, request, signal)) {
        waiting[Symbol.dispose]();
        yield answer;
      }
    },
  };
}
