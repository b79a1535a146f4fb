import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { PullEventSchema, type PullEvent } from "../../../gen/banger/image/v1/pull_pb.ts";
import { emptyPull, reducePull, type PullModel } from "../../../src/client/render/pull-model.ts";
import { drawPull } from "../../../src/client/render/pull-view.ts";
import { plainLine } from "../../../src/client/render/plain.ts";
import { eventLine } from "../../../src/client/render/json.ts";
import { imageTable, imageText } from "../../../src/client/render/image-text.ts";
import { pullSummary } from "../../../src/client/render/pull-summary.ts";
import { displayWidth, safeText } from "../../../src/client/render/text.ts";
import * as make from "../events.ts";

function modelOf(events: readonly PullEvent[]): PullModel {
  return events.reduce(reducePull, emptyPull);
}

function stateOf(model: PullModel, name: string): string | undefined {
  return model.stages.find(({ stage }) => stage === name)?.state;
}

const at = (events: readonly PullEvent[]): number => make.start + (events.length - 1) * 100;

function draw(events: readonly PullEvent[], width = 80, rows = 24): string[] {
  return drawPull(modelOf(events), { width, rows, now: at(events), colour: false });
}

/** Each event: what it turns to on the terminal at 80 columns, and in the log; undefined where it is silent. */
const eventTable: readonly {
  readonly name: string;
  readonly before: readonly (readonly [string, PullEvent["event"]])[];
  readonly event: readonly [string, PullEvent["event"]];
  readonly line: RegExp;
  readonly plain: string | undefined;
}[] = [
  {
    name: "waiting",
    before: [],
    event: make.waiting(),
    line: /^. waiting, number 2 in line: 8 pulls are building$/,
    plain: "waiting: 8 pulls are building (number 2 in line)",
  },
  {
    name: "resolved",
    before: [],
    event: make.resolved(5),
    line: /^✓ resolve {4}5 layers, 50.0 MiB to fetch$/,
    plain: `resolve: docker.io/library/debian:bookworm is ${make.digest(255)}, to be named debian-bookworm: 5 layers, 50.0 MiB to fetch`,
  },
  {
    name: "kernelResolved",
    before: [make.resolved(1)],
    event: make.kernelSkipped,
    line: /^- kernel {5}none asked for$/,
    plain: "kernel: skipped, none asked for",
  },
  {
    name: "layerProgress, fetching",
    before: [make.resolved(1), make.kernelSkipped, make.layerProgress(0, "fetch", 0)],
    event: make.layerProgress(0, "fetch", 5 * 1024 * 1024),
    line: /^ {4}000000000000 ━+─+ {2}50 % 5.00 MiB of 10.0 MiB$/,
    plain: undefined,
  },
  {
    name: "layerProgress, scanning",
    before: [make.resolved(1), make.kernelSkipped, make.layerFetched(0)],
    event: make.layerProgress(0, "scan", 5 * 1024 * 1024),
    line: /^ {4}000000000000 ━+─+ {2}50 % 5.00 MiB of 10.0 MiB {3}scanning$/,
    plain: undefined,
  },
  {
    name: "retrying",
    before: [make.resolved(1), make.kernelSkipped],
    event: make.retrying(),
    line: /^! layer 000000000000: try 2 in 1.5 s: the connection was reset$/,
    plain: "retry: layer 000000000000: try 2 in 1.5 s: the connection was reset",
  },
  {
    name: "layerFetched",
    before: [make.resolved(2), make.kernelSkipped],
    event: make.layerFetched(0),
    line: /^ {4}000000000000 fetched, 10.0 MiB$/,
    plain: "fetch: layer 1 (000000000000) from registry.example, 10.0 MiB, 800 ms",
  },
  {
    name: "layerFetched from the cache",
    before: [make.resolved(2), make.kernelSkipped],
    event: make.layerFetched(1, true),
    line: /^ {4}010101010101 in the cache, 10.0 MiB$/,
    plain: "fetch: layer 2 (010101010101) in the cache, 10.0 MiB",
  },
  {
    name: "layerScanned",
    before: [make.resolved(1), make.kernelSkipped, make.layerFetched(0)],
    event: make.layerScanned(0),
    line: /^ {4}000000000000 ✓ 10.0 MiB$/,
    plain: "scan: layer 1 (000000000000) scanned, 1,234 entries, 30.0 MiB inflated, 300 ms",
  },
  {
    name: "flattened",
    before: [make.resolved(0), make.kernelSkipped],
    event: make.flattened,
    line: /^✓ flatten {4}6,547 inodes, 100 MiB, 12 hidden, 1 loss +20 ms$/,
    plain: "flatten: 6,547 inodes, 100 MiB, 12 hidden, 1 loss, 20 ms",
  },
  {
    name: "stageProgress",
    before: [
      make.resolved(1),
      make.kernelSkipped,
      make.layerFetched(0),
      make.layerScanned(0),
      make.flattened,
    ],
    event: make.stageProgress("build", 52428800, 104857600, "bytes"),
    line: /^. build {6}50.0 MiB of 100 MiB, 50 % +100 ms$/,
    plain: undefined,
  },
  {
    name: "ext4Built",
    before: [make.resolved(1)],
    event: make.ext4Built,
    line: /^✓ build {6}200 MiB, 100 MiB written \(direct\) +900 ms$/,
    plain: "build: 200 MiB, 100 MiB written (direct), 900 ms",
  },
  {
    name: "ownershipApplied",
    before: [make.resolved(1)],
    event: make.ownershipApplied,
    line: /^✓ own {8}54 changes to 6,547 inodes, 2 devices, 1 xattr +60 ms$/,
    plain: "own: 54 changes to 6,547 inodes, 2 devices, 1 xattr, 60 ms",
  },
  {
    name: "agentsInjected",
    before: [make.resolved(1)],
    event: make.agentsSkipped,
    line: /^- inject {5}--no-agents$/,
    plain: "inject: skipped, --no-agents",
  },
  {
    name: "verified",
    before: [make.resolved(1)],
    event: make.verified,
    line: /^✓ verify {5}6,547 inodes as the layers say, 100 MiB hashed +400 ms$/,
    plain: "verify: 6,547 inodes as the layers say, 100 MiB hashed, 400 ms",
  },
  {
    name: "bootArtifactsStaged",
    before: [make.resolved(1)],
    event: make.bootSkipped,
    line: /^- stage-boot no kernel$/,
    plain: "stage-boot: skipped, no kernel",
  },
  {
    name: "published",
    before: [make.resolved(1)],
    event: make.published(),
    line: /^✓ publish {4}img-0123456789ab$/,
    plain: "publish: img-0123456789ab",
  },
];

for (const { name, before, event, line, plain } of eventTable) {
  const events = make.timeline(...before, event);

  test(`${name}: on a terminal`, () => {
    const lines = draw(events);
    assert.ok(
      lines.some((drawn) => line.test(drawn)),
      lines.join("\n"),
    );
    const without = draw(events.slice(0, -1));
    assert.ok(!without.some((drawn) => line.test(drawn)), "the line was there before the event");
  });

  test(`${name}: in a log`, () => assert.equal(plainLine(events.at(-1) ?? assert.fail()), plain));

  test(`${name}: as JSON, on one line that has its case`, () => {
    const last = events.at(-1) ?? assert.fail();
    const text = eventLine(last);
    assert.ok(!text.includes("\n"));
    const value: unknown = JSON.parse(text);
    assert.ok(typeof value === "object" && value !== null && (last.event.case ?? "") in value, text);
  });

  for (const width of [1, 20, 40, 80, 200]) {
    for (const rows of [1, 8, 24]) {
      test(`${name}: fits ${width} columns and ${rows} rows`, () => {
        const lines = draw(events, width, rows);
        assert.ok(lines.length <= rows, `${lines.length} lines`);
        for (const drawn of lines) assert.ok(displayWidth(drawn) <= width, JSON.stringify(drawn));
      });
    }
  }
}

test("the table has every event of the API", () => {
  const covered = new Set(eventTable.map(({ event }) => event[1].case));
  const all = PullEventSchema.oneofs.flatMap((oneof) => oneof.fields.map((field) => field.localName));
  assert.equal(all.length, 15);
  assert.deepEqual(
    all.filter((name) => ![...covered].some((known) => known === name)),
    [],
  );
});

test("a recorded pull ends with every stage ended, and the daemon's own times", () => {
  const model = modelOf(make.wholePull());
  const states = Object.fromEntries(model.stages.map(({ stage, state }) => [stage, state]));
  assert.deepEqual(states, {
    resolve: "done",
    kernel: "skipped",
    fetch: "done",
    scan: "done",
    flatten: "done",
    build: "done",
    own: "done",
    inject: "skipped",
    verify: "done",
    "stage-boot": "skipped",
    publish: "done",
  });
  assert.equal(model.stages[0]?.durationMs, 250);
  assert.equal(model.published?.image?.id, "img-0123456789ab");
  assert.equal(model.retry, undefined);
});

test("in a recorded pull nothing that ended runs again", () => {
  const ended = new Set<string>();
  let model = emptyPull;
  for (const event of make.wholePull()) {
    model = reducePull(model, event);
    for (const { stage, state } of model.stages) {
      if (state === "done" || state === "skipped") ended.add(stage);
      else assert.ok(!ended.has(stage), `${stage} at event ${event.sequence}`);
    }
  }
  assert.equal(ended.size, model.stages.length);
});

test("scan runs beside fetch once one layer is whole", () => {
  const before = modelOf(make.timeline(make.resolved(2), make.kernelSkipped));
  assert.deepEqual([stateOf(before, "fetch"), stateOf(before, "scan")], ["running", "waiting"]);
  const after = modelOf(make.timeline(make.resolved(2), make.kernelSkipped, make.layerFetched(1)));
  assert.deepEqual([stateOf(after, "fetch"), stateOf(after, "scan")], ["running", "running"]);
});

test("progress that comes after its milestone changes nothing", () => {
  const late = modelOf(
    make.timeline(make.resolved(1), make.layerFetched(0), make.layerProgress(0, "fetch", 5)),
  );
  assert.equal(late.layers[0]?.state, "fetched");
});

test("a pull that waits for its turn says so until it goes on", () => {
  const waits = make.timeline(make.resolved(1), make.waiting());
  assert.equal(modelOf(waits).waiting?.position, 2);
  assert.equal(stateOf(modelOf(waits), "kernel"), "waiting");
  const goesOn = make.timeline(make.resolved(1), make.waiting(), make.kernelSkipped);
  assert.equal(modelOf(goesOn).waiting, undefined);
});

test("a pull that joins another starts again as that one", () => {
  const own = make.timeline(make.resolved(3), make.kernelSkipped);
  const [other] = make.timeline(make.resolved(2));
  const model = modelOf([...own, { ...(other ?? assert.fail()), pullId: "p-2" }]);
  assert.deepEqual([model.pullId, model.layers.length, stateOf(model, "kernel")], ["p-2", 2, "running"]);
});

test("an event of a kind that this client does not know, or of no layer, changes no layer", () => {
  const unknown = create(PullEventSchema, { pullId: "p-1", sequence: 9n, stage: "new-stage" });
  const known = make.timeline(make.resolved(1), make.layerFetched(7));
  const model = modelOf([...known, unknown]);
  assert.equal(model.layers[0]?.state, "waiting");
  assert.equal(plainLine(unknown), undefined);
});

test("sixty layers on 24 rows: those at work, and one line for the rest", () => {
  const events = make.timeline(
    make.resolved(60),
    make.kernelSkipped,
    make.layerFetched(0),
    make.layerProgress(1, "fetch", 5e6),
    make.layerProgress(2, "fetch", 7e6),
  );
  const lines = draw(events);
  assert.ok(lines.length <= 24);
  assert.equal(lines.filter((line) => line.includes("━")).length, 2);
  assert.ok(lines.includes("    60 layers, 0 done, 1 to scan, 2 at work, 57 waiting"), lines.join("\n"));
});

test("once all is over nothing runs, waits or is tried again", () => {
  const events = make.timeline(make.resolved(1), make.kernelSkipped, make.retrying());
  const frame = { width: 80, rows: 24, now: at(events), colour: false, over: true };
  assert.deepEqual(
    drawPull(modelOf(events), frame).map((line) => line.replace(/ +\d+ ms$/, "")),
    [
      "docker.io/library/debian:bookworm → debian-bookworm  linux/amd64  ffffffffffff",
      "✓ resolve    1 layer, 10.0 MiB to fetch",
      "- kernel     none asked for",
      "✗ fetch",
      "    000000000000 waiting, 10.0 MiB",
    ],
  );
});

test("nothing that a server says reaches the terminal as a command", () => {
  const evil = "\u001b[2Jx\r\n\u202e";
  const events = make.timeline(make.resolved(1, evil), make.retrying(evil), make.waiting(evil));
  const output = [
    ...draw(events.slice(0, 2), 200),
    ...draw(events, 200),
    ...events.map((event) => plainLine(event) ?? ""),
  ].join("");
  assert.equal(safeText(output), output);
  assert.ok(output.includes("\\x1b[2J"));
});

test("the summary of a pull names image, path, times, losses and the next step", () => {
  const model = modelOf(make.wholePull());
  const text = pullSummary(model.published ?? assert.fail()).join("\n");
  for (const part of [
    /^name +debian-bookworm$/m,
    /^id +img-0123456789ab$/m,
    /^path +\/state\/images\/img-0123456789ab\/rootfs.ext4$/m,
    /^size +200 MiB, 110 MiB on disk$/m,
    /^time +resolve 250 ms · build 900 ms$/m,
    /^losses +1:/m,
    /TIME_CLAMPED \/old/,
    /^→ banger image inspect debian-bookworm   all that is known of it$/m,
    /^→ banger kernel pull --help   where to get kernels for --kernel-ref$/m,
  ]) {
    assert.match(text, part);
  }
});

test("an image that was there already says so instead of times", () => {
  const model = modelOf(make.timeline(make.resolved(1), make.published(true)));
  assert.match(pullSummary(model.published ?? assert.fail()).join("\n"), /^time +it was there already$/m);
});

test("images as a table and as a page", () => {
  assert.deepEqual(imageTable([], 0), ["NAME  ID  SIZE  ON DISK  PLATFORM  CREATED  REFERENCE"]);
  assert.match(
    imageTable([make.image], 0)[1] ?? "",
    /^debian-bookworm {2}img-0123456789ab {2}200 MiB {2}110 MiB/,
  );
  assert.match(imageText(make.image).join("\n"), /^losses +none$/m);
});
