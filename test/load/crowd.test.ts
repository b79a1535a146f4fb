import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { PullEventSchema, type PullEvent } from "../../gen/banger/image/v1/pull_pb.ts";
import { missed, runCrowd } from "./crowd.ts";

/** Half of what a crowd took that nothing bounded. */
const peakBoundMiB = 450;

test("a crowd of clients, some slow, some cancelled, gets every milestone and whole images", async (t) => {
  const report = await runCrowd({ clients: 50, images: 12, slowReaders: 5, cancels: 5, durationMs: 15_000 });
  t.diagnostic(JSON.stringify(report));
  assert.deepEqual(report.complaints, []);
  assert.ok(report.published > 12, "the crowd got on");
  assert.ok(report.peakMiB < peakBoundMiB, `the daemon took ${report.peakMiB} MiB`);
  // Each blob once, whoever asks; a pull that was cancelled may have begun one that the next goes on with.
  assert.ok(report.layerRequests <= report.layers + report.cancelled * 3, `${report.layerRequests} requests`);
});

type Event = NonNullable<MessageInitShape<typeof PullEventSchema>["event"]>;

function eventsOf(...cases: readonly Event[]): readonly PullEvent[] {
  return cases.map((event, at) => create(PullEventSchema, { sequence: BigInt(at + 1), event }));
}

test("the judge misses a milestone", () => {
  const resolved: Event = { case: "resolved", value: { layers: [{}] } };
  const published: Event = { case: "published", value: {} };
  const middle: readonly Event[] = [
    { case: "kernelResolved", value: {} },
    { case: "layerFetched", value: {} },
    { case: "layerProgress", value: {} },
    { case: "layerScanned", value: {} },
    { case: "flattened", value: {} },
    { case: "ext4Built", value: {} },
    { case: "ownershipApplied", value: {} },
    { case: "agentsInjected", value: {} },
    { case: "verified", value: {} },
    { case: "bootArtifactsStaged", value: {} },
  ];
  assert.equal(missed(eventsOf(resolved, ...middle, published)), undefined);
  for (const one of middle.filter((event) => event.case !== "layerProgress")) {
    assert.match(
      missed(eventsOf(resolved, ...middle.filter((event) => event !== one), published)) ?? "",
      /instead of/,
    );
    assert.match(missed(eventsOf(resolved, ...middle, one, published)) ?? "", /instead of/);
  }
  assert.match(missed(eventsOf(resolved, ...middle)) ?? "", /last event/);
  assert.match(missed(eventsOf(resolved, ...middle, published).toReversed()) ?? "", /last event/);
});
