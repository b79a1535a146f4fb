import assert from "node:assert/strict";
import { Writable } from "node:stream";
import test from "node:test";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { KernelProgressSchema } from "../../gen/banger/image/v1/kernel_service_pb.ts";
import { openKernelProgress } from "../../src/client/kernel-progress.ts";
import { processTerminal } from "../../src/client/terminal.ts";

function progress(doneBytes: bigint, totalBytes: bigint) {
  return create(KernelProgressSchema, { doneBytes, totalBytes, elapsed: durationFromMs(1500) });
}

/** All that is shown on a stderr that is a terminal or not. */
function shown(isTTY: boolean, use: (of: ReturnType<typeof openKernelProgress>) => void): string {
  let said = "";
  const stream = new Writable({
    write: (piece: Buffer, _encoding, done) => {
      said += piece.toString();
      done();
    },
  });
  const stderr = Object.assign(stream, { isTTY });
  use(openKernelProgress({ ...processTerminal(), stderr, env: { TERM: "xterm" } }));
  return said;
}

test("on a terminal one line changes; elsewhere there is one at the end", () => {
  const fetch = (of: ReturnType<typeof openKernelProgress>): void => {
    of.show(progress(1024n, 0n));
    of.show(progress(2048n, 4096n));
    of.end();
  };
  assert.equal(shown(false, fetch), "fetch: 2.00 KiB of 4.00 KiB, 1.5 s\n");
  const live = shown(true, fetch);
  assert.equal(live.split("\r\u001b[K").length, 4);
  assert.match(live, /fetch: 1\.00 KiB, 1\.5 s/);
  assert.ok(live.endsWith("fetch: 2.00 KiB of 4.00 KiB, 1.5 s\n"));
});

test("a kernel that was here shows nothing, and one that failed leaves no half line", () => {
  assert.equal(
    shown(true, (of) => of.end()),
    "",
  );
  const failed = shown(true, (of) => {
    of.show(progress(1n, 2n));
    of[Symbol.dispose]();
  });
  assert.ok(failed.endsWith("\r\u001b[K"));
});
