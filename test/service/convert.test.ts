import assert from "node:assert/strict";
import { test } from "node:test";
import { create, equals, fromBinary, isMessage, toBinary } from "@bufbuild/protobuf";
import { ImageSchema } from "../../gen/banger/image/v1/image_pb.ts";
import { imageMessage, summaryMessage } from "../../src/service/convert.ts";
import { imageRecord } from "../store/records.ts";

const record = imageRecord({ indexDigest: undefined });

test("an image's message is one that `create` could have made, and comes back from its bytes", () => {
  for (const message of [summaryMessage(record, "/state"), imageMessage(record, "/state")]) {
    assert.ok(isMessage(message, ImageSchema));
    assert.deepEqual(message, create(ImageSchema, { ...message }));
    const back = fromBinary(ImageSchema, toBinary(ImageSchema, message));
    assert.ok(equals(ImageSchema, message, back));
    assert.deepEqual(back.config?.labels, record.config.labels);
  }
});

test("a list's image has all that a list is asked for, and nothing more", () => {
  const summary = summaryMessage(record, "/state/./");
  assert.equal(summary.rootfsPath, `/state/images/${record.id}/rootfs.ext4`);
  assert.deepEqual(summary.config?.env, record.config.env);
  assert.deepEqual([summary.layers, summary.losses, summary.boot], [[], [], undefined]);
  assert.equal(imageMessage(record, "/state").layers.length, record.layers.length);
});

test("a message shares no list with the record that it was made of", () => {
  const message = summaryMessage(record, "/state");
  message.config?.env.push("MORE=1");
  assert.ok(!record.config.env.includes("MORE=1"));
});
