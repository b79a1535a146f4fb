import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  DiffImagesResponseSchema,
  FileType,
  GetImageUsageResponseSchema,
} from "../../../gen/banger/image/v1/image_service_pb.ts";
import { parseJson } from "../../../src/base/json.ts";
import { diffJson, diffText } from "../../../src/client/render/diff-text.ts";
import { displayWidth, truncateStart } from "../../../src/client/render/text.ts";
import { usageJson, usageText } from "../../../src/client/render/usage-text.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const { REGULAR, DIRECTORY, SYMLINK, UNSPECIFIED } = FileType;
const hash = (digit: string): string => `sha256:${digit.repeat(64)}`;

const diff = create(DiffImagesResponseSchema, {
  changes: [
    { path: bytes("etc/motd"), typeBefore: UNSPECIFIED, typeAfter: REGULAR, sizeAfter: 1234n },
    { path: bytes("opt/old"), typeBefore: DIRECTORY, typeAfter: UNSPECIFIED },
    {
      path: bytes("usr/bin/\x1b[2Jsu"),
      typeBefore: REGULAR,
      typeAfter: REGULAR,
      fields: [
        { field: "mode", before: "4755", after: "0755" },
        { field: "content", before: hash("a"), after: hash("b") },
        { field: "xattr security.capability", before: "0x01", after: "" },
      ],
    },
  ],
  addedCount: 1n,
  removedCount: 1n,
  changedCount: 1n,
});

test("image diff: what came, went and changed, and no escape of a name's", () => {
  assert.deepEqual(diffText(diff, 80), [
    "+ etc/motd  1.21 KiB",
    "- opt/old/",
    "~ usr/bin/\\x1b[2Jsu",
    "    mode     4755 → 0755",
    "    content  sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb",
    "    xattr security.capability 0x01 → none",
    "1 added, 1 removed, 1 changed",
  ]);
});

test("image diff: nothing, and more than is listed", () => {
  assert.deepEqual(diffText(create(DiffImagesResponseSchema, {}), 80), ["no difference"]);
  const cut = { ...diff, truncated: true, addedCount: 1234n };
  assert.deepEqual(diffText(cut, 80).slice(-2), [
    "… and 1,233 more paths: --limit lists more",
    "1,234 added, 1 removed, 1 changed",
  ]);
});

test("on a terminal no line is wider than it; elsewhere all of each path is there", () => {
  const long = `${"deep/".repeat(40)}名前.txt`;
  const wide = create(DiffImagesResponseSchema, {
    changes: [
      { path: Buffer.from(long), typeAfter: REGULAR, sizeAfter: 5n },
      {
        path: bytes("l"),
        typeBefore: SYMLINK,
        typeAfter: SYMLINK,
        fields: [{ field: "target", before: "x".repeat(200), after: "y" }],
      },
    ],
    addedCount: 1n,
    changedCount: 1n,
  });
  for (const columns of [20, 40, 80]) {
    for (const line of diffText(wide, columns).slice(0, 3)) assert.ok(displayWidth(line) <= columns, line);
  }
  assert.match(diffText(wide, 40)[0] ?? "", /^\+ ….*名前\.txt {2}5 B$/);
  assert.equal(diffText(wide, undefined)[0], `+ ${long}  5 B`);
});

const usage = create(GetImageUsageResponseSchema, {
  total: { contentBytes: 3n << 30n, inodeCount: 65_470n },
  folders: [{ path: bytes("usr"), usage: { contentBytes: 2n << 30n, inodeCount: 40_000n } }],
  files: [{ path: bytes("usr/lib/\xff.so"), usage: { contentBytes: 9n << 20n, inodeCount: 1n } }],
  layers: [
    {
      index: 0,
      digest: hash("c"),
      usage: { contentBytes: 1n << 30n, inodeCount: 60_000n },
      inflatedBytes: 2n << 30n,
    },
    { index: 1, usage: { contentBytes: 1n << 10n, inodeCount: 9n } },
  ],
  layersKnown: true,
});

test("image du: the sum, then folders, files and layers", () => {
  assert.deepEqual(usageText(usage, 80), [
    "3.00 GiB in 65,470 inodes",
    "",
    "    SIZE  INODES  FOLDER",
    "2.00 GiB  40,000  usr",
    "",
    "    SIZE  INODES  FILE",
    "9.00 MiB       1  usr/lib/\\xff.so",
    "",
    "LAYER         SIZE  INFLATED  INODES  DIGEST",
    "1         1.00 GiB  2.00 GiB  60,000  cccccccccccc",
    "injected  1.00 KiB                 9",
  ]);
});

test("image du: layers that nobody knows, and lists that were cut", () => {
  const old = { ...usage, layers: [], layersKnown: false, truncated: true };
  const lines = usageText(old, 80);
  assert.ok(lines.some((line) => line.startsWith("Nobody knows the layers")));
  assert.equal(lines.at(-1), "There are more folders or files: --limit lists more.");
  const deep = create(GetImageUsageResponseSchema, {
    folders: [{ path: bytes("x/".repeat(100)), usage: { contentBytes: 1n, inodeCount: 1n } }],
    layersKnown: true,
  });
  for (const line of [...usageText(deep, 80), ...lines.slice(0, -4)])
    assert.ok(displayWidth(line) <= 80, line);
});

test("JSON has paths to read, and their bytes", () => {
  const context = { reason: "INTERNAL", op: "test", subject: "output" } as const;
  const [changes, files] = [diffJson(diff), usageJson(usage)].map((json) =>
    parseJson(Buffer.from(JSON.stringify(json)), context),
  );
  const shown = [changes?.at("changes").list()[2], files?.at("files").list()[0]].map((one) => [
    one?.at("path").text(),
    Buffer.from(one?.at("pathBase64").text() ?? "", "base64").toString("latin1"),
  ]);
  assert.deepEqual(shown, [
    ["usr/bin/\\x1b[2Jsu", "usr/bin/\x1b[2Jsu"],
    ["usr/lib/\\xff.so", "usr/lib/\xff.so"],
  ]);
});

test("the end of a text that is cut stays", () => {
  for (const [text, columns, expected] of [
    ["abc", 3, "abc"],
    ["abcd", 3, "…cd"],
    ["名前", 3, "…前"],
    ["名前", 2, "…"],
    ["abc", 1, "…"],
    ["abc", 0, ""],
  ] as const) {
    assert.equal(truncateStart(text, columns), expected, `${text} in ${columns}`);
  }
});
