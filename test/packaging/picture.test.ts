import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pictureOf, type Recording } from "../../packaging/terminal-svg.ts";

const root = join(import.meta.dirname, "../..");
const recordingPath = "packaging/pull-recording.json";

function isRecording(value: unknown): value is Recording {
  return typeof value === "object" && value !== null && "command" in value && "output" in value;
}

function recorded(): Recording {
  const value: unknown = JSON.parse(readFileSync(join(root, recordingPath), "utf8"));
  assert.ok(isRecording(value));
  return value;
}

test("the README's picture is what the recording shows, and the README shows it", () => {
  assert.equal(readFileSync(join(root, "docs/pull.svg"), "utf8"), pictureOf(recorded()));
  assert.match(readFileSync(join(root, "README.md"), "utf8"), /!\[[^\]]+\]\(docs\/pull\.svg\)/);
});

test("it shows layers on their way and the summary, needs nothing of elsewhere, and names no machine", () => {
  const picture = pictureOf(recorded());
  for (const part of [
    />\$</,
    /localhost:5000\/debian:bookworm/,
    /━/,
    /MiB\/s/,
    /is ready, in/,
    />rootfs</,
    />~\/\.local/,
  ]) {
    assert.match(picture, part);
  }
  assert.doesNotMatch(picture, /<(?:script|image|animate)|(?:href|src)=|url\(|@import/);
  assert.doesNotMatch(
    picture.replace("http://www.w3.org/2000/svg", ""),
    /https?:|\/(?:tmp|root|home|work|usr)\//,
  );
});

test("a recording in which nothing is on its way makes no picture", () => {
  const still: Recording = { ...recorded(), output: ["\u001b[?25l\u001b[?2026hnothing\u001b[?2026l"] };
  assert.throws(() => pictureOf(still), /on its way/);
});
