import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  DiskLedger,
  type ClaimOptions,
  type DiskState,
  type SpaceClaim,
} from "../../src/base/disk-ledger.ts";
import { BangerError, hasReason } from "../../src/base/error.ts";

/** Disks by the first letter of a path, with room that the test sets. */
class FakeDisks {
  readonly free: Record<string, number>;
  constructor(free: Record<string, number>) {
    this.free = free;
  }
  readonly deviceOf = async (path: string): Promise<number> => path.charCodeAt(0);
  readonly freeBytes = async (path: string): Promise<number> => this.free[path.charAt(0)] ?? 0;
}

const never = new AbortController().signal;
const options = (heard: string[] = [], name = "", signal = never): ClaimOptions => ({
  op: "test",
  signal,
  onWait: (position, { path, neededBytes, promisedBytes }: DiskState) =>
    heard.push(`${name}${position} ${path} ${neededBytes} beside ${promisedBytes}`),
});
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
};
const need = (path: string, bytes: number) => ({ path, bytes });

describe("a ledger", () => {
  test("adds up what is promised and not yet written, and lets wait who does not fit beside it", async () => {
    const disks = new FakeDisks({ a: 100 });
    const ledger = new DiskLedger(disks);
    const first = await ledger.claim([need("a1", 60)], options());
    const heard: string[] = [];
    let second: SpaceClaim | undefined;
    const waiting = ledger.claim([need("a2", 50)], options(heard)).then((claim) => (second = claim));
    await settled();
    assert.deepEqual([second, heard, ledger.waitingCount], [undefined, ["1 a2 50 beside 60"], 1]);
    // It wrote all it wanted: the disk has less, and the promise is kept. Still no room.
    disks.free["a"] = 40;
    first.wrote(0, 60);
    first[Symbol.dispose]();
    await assert.rejects(
      waiting,
      (error) => hasReason(error, "DISK_FULL") && /0 MiB free/.test(error.message),
    );
    assert.equal(ledger.waitingCount, 0);
  });

  test("whoever waits goes on when another gives its promise back", async () => {
    const ledger = new DiskLedger(new FakeDisks({ a: 100 }));
    const first = await ledger.claim([need("a1", 60)], options());
    const waiting = ledger.claim([need("a2", 50)], options());
    await settled();
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    (await waiting)[Symbol.dispose]();
  });

  test("needs on one disk are added up, those on others are apart", async () => {
    const ledger = new DiskLedger(new FakeDisks({ a: 100, b: 100 }));
    using _claim = await ledger.claim([need("a1", 60), need("a2", 40), need("b", 100)], options());
    await assert.rejects(ledger.claim([need("a1", 60), need("a2", 41)], options()), (error) =>
      hasReason(error, "DISK_FULL"),
    );
  });

  test("who would not fit alone is refused at once, whoever else is there", async () => {
    const ledger = new DiskLedger(new FakeDisks({ a: 100 }));
    using _claim = await ledger.claim([need("a", 1)], options());
    await assert.rejects(
      ledger.claim([need("a", 101)], options()),
      (error) => hasReason(error, "DISK_FULL") && error.facts["neededBytes"] === "101",
    );
  });

  test("what others only borrow counts as room to wait for", async () => {
    const disks = new FakeDisks({ a: 100 });
    const ledger = new DiskLedger(disks);
    const first = await ledger.claim([{ ...need("a", 80), transient: true }], options());
    disks.free["a"] = 20;
    first.wrote(0, 80);
    const waiting = ledger.claim([need("a", 90)], options());
    await settled();
    assert.equal(ledger.waitingCount, 1);
    disks.free["a"] = 100;
    first[Symbol.dispose]();
    (await waiting)[Symbol.dispose]();
  });

  test("what is measured counts as written", async () => {
    const disks = new FakeDisks({ a: 100 });
    const ledger = new DiskLedger(disks);
    let onDisk = 0;
    using _first = await ledger.claim([{ ...need("a", 60), measure: async () => onDisk }], options());
    disks.free["a"] = 50;
    onDisk = 50;
    // 10 are still promised: 40 fit beside them.
    using _second = await ledger.claim([need("a", 40)], options());
    assert.equal(ledger.waitingCount, 0);
  });

  test("a guess makes others wait, and nobody is refused for one", async () => {
    const ledger = new DiskLedger(new FakeDisks({ a: 100 }));
    const first = await ledger.claim([{ ...need("a", 500), estimated: true }, need("a", 10)], options());
    const heard: string[] = [];
    const waiting = ledger.claim([need("a", 10)], options(heard));
    await settled();
    assert.deepEqual(heard, ["1 a 10 beside 510"]);
    first[Symbol.dispose]();
    (await waiting)[Symbol.dispose]();
  });

  test("first come, first served, and each hears where it stands", async () => {
    const ledger = new DiskLedger(new FakeDisks({ a: 100 }));
    const first = await ledger.claim([need("a", 100)], options());
    const heard: string[] = [];
    const order: string[] = [];
    const enter = (name: string, bytes: number): Promise<SpaceClaim> =>
      ledger.claim([need("a", bytes)], options(heard, name)).then((claim) => (order.push(name), claim));
    const large = enter("large ", 100);
    const small = enter("small ", 1);
    await settled();
    assert.deepEqual(heard, ["large 1 a 100 beside 100", "small 2 a 100 beside 100"]);
    first[Symbol.dispose]();
    const held = await large;
    await settled();
    assert.deepEqual(order, ["large "]);
    held[Symbol.dispose]();
    (await small)[Symbol.dispose]();
    assert.deepEqual(order, ["large ", "small "]);
  });

  test("two that want more than they had never wait for each other", async () => {
    const ledger = new DiskLedger(new FakeDisks({ a: 100 }));
    const one = await ledger.claim([need("a", 40)], options());
    const other = await ledger.claim([need("a", 40)], options());
    const newcomer = ledger.claim([need("a", 90)], options());
    const order: string[] = [];
    const grow = async (name: string, claim: SpaceClaim): Promise<void> => {
      await claim.replace([need("a", 80)], options());
      order.push(name);
      claim[Symbol.dispose]();
    };
    await Promise.all([grow("one", one), grow("other", other)]);
    (await newcomer)[Symbol.dispose]();
    assert.deepEqual(order, ["one", "other"]);
  });

  test("what was written of one promise counts for nothing of the next", async () => {
    const ledger = new DiskLedger(new FakeDisks({ a: 100 }));
    using claim = await ledger.claim([need("a", 40)], options());
    claim.wrote(0, 40);
    await claim.replace([need("a", 80)], options());
    const heard: string[] = [];
    const controller = new AbortController();
    const waiting = ledger.claim([need("a", 30)], options(heard, "", controller.signal));
    await settled();
    assert.deepEqual(heard, ["1 a 30 beside 80"]);
    controller.abort(new BangerError("CANCELLED", "enough", { op: "test" }));
    await assert.rejects(waiting, (error) => hasReason(error, "CANCELLED"));
  });

  test("one who gives up leaves the line, and those behind go on", async () => {
    const ledger = new DiskLedger(new FakeDisks({ a: 100 }));
    using _first = await ledger.claim([need("a", 60)], options());
    const controller = new AbortController();
    const large = ledger.claim([need("a", 90)], options([], "", controller.signal));
    const small = ledger.claim([need("a", 10)], options());
    await settled();
    controller.abort(new BangerError("CANCELLED", "enough", { op: "test" }));
    await assert.rejects(large, (error) => hasReason(error, "CANCELLED"));
    (await small)[Symbol.dispose]();
  });

  test("a folder that is not there is an error, and holds nobody up", async () => {
    const ledger = new DiskLedger();
    await assert.rejects(ledger.claim([need("/no/such/folder", 1)], options()), (error) =>
      hasReason(error, "FILESYSTEM_ERROR"),
    );
    (await ledger.claim([need("/", 1)], options()))[Symbol.dispose]();
  });
});
