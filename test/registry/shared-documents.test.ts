import assert from "node:assert/strict";
import test from "node:test";
import { BangerError, hasReason } from "../../src/base/error.ts";
import { SharedDocuments } from "../../src/registry/shared-documents.ts";

const { signal } = new AbortController();

test("a document is fetched once, by whoever comes first, and then known under its key alone", async () => {
  const documents = new SharedDocuments();
  let fetches = 0;
  const fetch = async (): Promise<Uint8Array> => Buffer.of(++fetches);
  const all = await Promise.all(Array.from({ length: 5 }, () => documents.get("a", signal, fetch)));
  assert.deepEqual(
    all,
    Array.from({ length: 5 }, () => Buffer.of(1)),
  );
  assert.deepEqual(await documents.get("a", signal, fetch), Buffer.of(1));
  assert.deepEqual(await documents.get("b", signal, fetch), Buffer.of(2));
});

test("where one is cancelled or refused, the others fetch for themselves", async () => {
  for (const reason of ["CANCELLED", "REGISTRY_AUTH"] as const) {
    const documents = new SharedDocuments();
    const failing = documents.get("a", signal, async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      throw new BangerError(reason, "no", { op: "test" });
    });
    const others = [1, 2].map((byte) => documents.get("a", signal, async () => Buffer.of(byte)));
    await assert.rejects(failing, (error: unknown) => hasReason(error, reason));
    const [one, two] = await Promise.all(others);
    assert.deepEqual(one, Buffer.of(1));
    assert.deepEqual(two, reason === "CANCELLED" ? Buffer.of(1) : Buffer.of(2));
  }
});

test("one who waits may leave", async () => {
  const documents = new SharedDocuments();
  const { promise, resolve } = Promise.withResolvers<Uint8Array>();
  const first = documents.get("a", signal, () => promise);
  const leaving = new AbortController();
  const second = documents.get("a", leaving.signal, () => promise);
  leaving.abort(new BangerError("CANCELLED", "left", { op: "test" }));
  await assert.rejects(second, (error: unknown) => hasReason(error, "CANCELLED"));
  resolve(Buffer.of(7));
  assert.deepEqual(await first, Buffer.of(7));
});

test("what is remembered is bounded, and the oldest goes first", async () => {
  const documents = new SharedDocuments();
  let fetches = 0;
  const fetch = async (): Promise<Uint8Array> => {
    fetches++;
    return Buffer.alloc(4 << 20);
  };
  for (const key of ["a", "b", "c", "d", "e", "e", "a"]) await documents.get(key, signal, fetch);
  assert.equal(fetches, 6);
});
