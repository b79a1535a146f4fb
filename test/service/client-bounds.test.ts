import assert from "node:assert/strict";
import { test } from "node:test";
import { hasReason, type Reason } from "../../src/base/error.ts";
import { ClientBounds } from "../../src/service/client-bounds.ts";

const failing = (reason: Reason) => (error: unknown) => hasReason(error, reason);

test("each connection has its share, all of them together have theirs, and what ends makes room", () => {
  const bounds = new ClientBounds({ streams: 5, clientStreams: 3, clientPulls: 2 });
  const one = [bounds.enter("one", true), bounds.enter("one", true)];
  assert.throws(() => bounds.enter("one", true), failing("TOO_MANY_PULLS"));
  one.push(bounds.enter("one", false));
  assert.throws(() => bounds.enter("one", false), failing("TOO_MANY_STREAMS"));
  const two = [bounds.enter("two", true), bounds.enter("two", false)];
  assert.throws(() => bounds.enter("three", false), failing("TOO_MANY_STREAMS"));
  one[0]?.[Symbol.dispose]();
  one[0]?.[Symbol.dispose]();
  bounds.enter("three", true)[Symbol.dispose]();
  bounds.enter("one", true);
  assert.throws(() => bounds.enter("three", true), failing("TOO_MANY_STREAMS"));
  for (const stream of two) stream[Symbol.dispose]();
  bounds.enter("three", true);
});

test("limits that change count at the next call, but for the one that HTTP/2 told the client at the start", () => {
  const limits = { streams: 9, clientStreams: 2, clientPulls: 1 };
  const bounds = new ClientBounds(limits);
  bounds.enter("one", true);
  Object.assign(limits, { clientStreams: 9, clientPulls: 2 });
  bounds.enter("one", true);
  assert.throws(() => bounds.enter("one", false), failing("TOO_MANY_STREAMS"));
});
