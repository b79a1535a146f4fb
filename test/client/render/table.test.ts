import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { GetDaemonStatusResponseSchema } from "../../../gen/banger/image/v1/daemon_service_pb.ts";
import { ImageSchema } from "../../../gen/banger/image/v1/image_pb.ts";
import {
  FileInfoSchema,
  FileType,
  ResolveImageResponseSchema,
  VerifyImageResponseSchema,
} from "../../../gen/banger/image/v1/image_service_pb.ts";
import { CatalogEntrySchema, KernelSchema } from "../../../gen/banger/image/v1/kernel_service_pb.ts";
import { PullSchema } from "../../../gen/banger/image/v1/pull_pb.ts";
import { daemonText } from "../../../src/client/render/daemon-text.ts";
import { fileTable } from "../../../src/client/render/file-text.ts";
import { imageTable, imageText } from "../../../src/client/render/image-text.ts";
import { catalogTable, kernelTable } from "../../../src/client/render/kernel-text.ts";
import { pullTable } from "../../../src/client/render/pull-text.ts";
import { resolveText } from "../../../src/client/render/resolve-text.ts";
import { facts, right, table } from "../../../src/client/render/table.ts";
import { displayWidth, safeText } from "../../../src/client/render/text.ts";
import { verifyText } from "../../../src/client/render/verify-text.ts";

const rows = [
  ["a-name-that-is-long", "9.00 MiB", "docker.io/library/debian:bookworm"],
  ["b", "117 KiB", "x"],
];
const columns = [
  { heading: "NAME", cut: "end" },
  right("SIZE"),
  { heading: "FROM", cut: "start", optional: true },
] as const;

const tables: readonly (readonly [width: number | undefined, lines: readonly string[]])[] = [
  [
    undefined,
    [
      "NAME                     SIZE  FROM",
      "a-name-that-is-long  9.00 MiB  docker.io/library/debian:bookworm",
      "b                     117 KiB  x",
    ],
  ],
  [
    50,
    [
      "NAME                     SIZE  FROM",
      "a-name-that-is-long  9.00 MiB  …ry/debian:bookworm",
      "b                     117 KiB  x",
    ],
  ],
  [30, ["NAME           SIZE  FROM", "a-name-t…  9.00 MiB  …bookworm", "b           117 KiB  x"]],
  [27, ["NAME                   SIZE", "a-name-that-is-l…  9.00 MiB", "b                   117 KiB"]],
  [10, ["NAME     …", "a-name-… …", "b        …"]],
];

for (const [width, lines] of tables) {
  test(`a table at ${width ?? "any"} columns`, () => assert.deepEqual(table(columns, rows, width), lines));
}

test("facts go on below, or stand below their label where a word needs it", () => {
  const told = [
    ["name", "app"],
    ["stages", "resolve 34 ms and then some more"],
    ["digest", "0123456789abcdefghij"],
  ] as const;
  assert.deepEqual(facts(told, 22), [
    "name    app",
    "stages  resolve 34 ms",
    "        and then some",
    "        more",
    "digest",
    "  0123456789abcdefghij",
  ]);
});

const evil = "\u001b[2J\u202eevil\n";
const long = "registry.example/".repeat(8);
const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
const image = create(ImageSchema, {
  id: "0123456789abcdef01234567",
  name: "n".repeat(63),
  reference: long + evil,
  platform: { os: "linux", architecture: "amd64" },
  rootfsSizeBytes: 1_099_511_627_775n,
  manifestDigest: digest,
  losses: [{ kind: "TIME_CLAMPED", path: long, detail: `${"word ".repeat(40)}${evil}` }],
  bootReadiness: { obstacles: ["there is no init ".repeat(10)] },
  layers: [{ digest, sizeBytes: 5n, inflatedBytes: 1n << 40n, entryCount: 5_000_000n }],
  injectedFiles: [{ path: `/${long}`, mode: 0o755, sizeBytes: 1n, digest, replaced: true }],
  stageTimes: Array.from({ length: 11 }, () => ({ stage: "resolve", duration: { seconds: 61n, nanos: 0 } })),
});
const pages: Readonly<Record<string, (width: number) => readonly string[]>> = {
  "image ls": (width) => imageTable([image], 0, width),
  "image inspect": (width) => imageText(image, width),
  "image files": (width) =>
    fileTable(
      [
        create(FileInfoSchema, {
          name: Buffer.from([0xff, 0x1b, 0x5b, 0x32, 0x4a, ...Buffer.from("x".repeat(250))]),
          type: FileType.REGULAR,
          sizeBytes: 1n << 38n,
          uid: 4_294_967_294,
        }),
      ],
      width,
    ),
  "image resolve": (width) =>
    resolveText(create(ResolveImageResponseSchema, { reference: evil, layers: image.layers }), width),
  "image verify": (width) =>
    verifyText(
      "n",
      create(VerifyImageResponseSchema, {
        differences: [{ path: long, field: "mode", expected: long, found: evil }],
      }),
      width,
    ),
  "pull ls": (width) =>
    pullTable(
      [create(PullSchema, { id: "p473c2c81281b391a", name: image.name, imageId: image.id, reference: long })],
      0,
      width,
    ),
  "kernel ls": (width) => kernelTable([create(KernelSchema, { name: image.name, source: long })], width),
  "kernel catalog": (width) =>
    catalogTable([create(CatalogEntrySchema, { name: long, source: evil })], width),
  "daemon status": (width) =>
    daemonText(
      create(GetDaemonStatusResponseSchema, {
        version: "0.1.0",
        checks: [{ name: "state", ok: false, detail: "word ".repeat(40), remedy: "Do ".repeat(40) }],
      }),
      0,
      width,
    ),
};

for (const [name, page] of Object.entries(pages)) {
  for (const width of [80, 200]) {
    test(`${name} fits ${width} columns, whatever is in it, and is harmless`, () => {
      for (const line of page(width)) {
        assert.ok(displayWidth(line) <= width || /^ {2,4}\S+$/.test(line), JSON.stringify(line));
        assert.equal(safeText(line), line);
      }
    });
  }
}

test("no table is wider than its terminal", () => {
  const cell = fc.string({ unit: "grapheme", maxLength: 40 });
  const row = fc.tuple(cell, cell, cell).map((cells): string[] => cells);
  fc.assert(
    fc.property(fc.array(row, { maxLength: 4 }), fc.integer({ min: 1, max: 120 }), (any, width) => {
      for (const line of table(columns, any, width)) assert.ok(displayWidth(line) <= width, line);
    }),
  );
});

test("a file's time is the second that it is in, however little of it is left", () => {
  const lines = fileTable([create(FileInfoSchema, { modifyTime: { seconds: 59n, nanos: 999_999_999 } })]);
  assert.match(lines[1] ?? "", /1970-01-01T00:00:59/);
});
