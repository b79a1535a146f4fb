import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { makeTempDir } from "../../src/base/files.ts";
import { makeScanPool } from "../../src/layers/scan.ts";
import { writeLayout } from "../fakes/registry/images.ts";
import { sections } from "./rules/all.ts";
import { by, keeps, type Case, type Rule } from "./rules/rule.ts";
import { umociOutcome } from "./rules/outcome.ts";
import { runBanger } from "./rules/run-banger.ts";
import { runAll, type Outcome } from "./rules/run-all.ts";
import { renderPage } from "./rules/table.ts";
import { runUmoci, whyNotUmoci } from "./rules/run-umoci.ts";
import { hasTest } from "./rules/test-titles.ts";
import { device, file, hardlink, symlink, tar } from "./tar-builder.ts";

const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "layer-rules.md"), "utf8");
const rules: readonly Rule[] = sections.flatMap((section) => section.rules);
/** Where umoci can't be run, the page's own words on it are taken as they are. */
const skip = whyNotUmoci() ?? false;
const umoci = skip === false;

let outcomes: ReadonlyMap<Case, Outcome> = new Map();
before(async () => {
  outcomes = await runAll(sections, { umoci, slow: false });
});

test("every rule's images are merged or refused as the rule says", () => {
  for (const { text, cases } of rules) {
    for (const example of cases) {
      if (example.slow === true) continue;
      const outcome = outcomes.get(example);
      assert.ok(outcome?.asExpected, `${text} ${example.what}: ${outcome?.banger}`);
    }
  }
});

test("docs/layer-rules.md says what banger and umoci just did", () => {
  assert.equal(page, renderPage(sections, outcomes, page), "run node test/layers/umoci-table.ts --write");
});

test("what was not run is taken from the page, and all else is not", () => {
  const first = rules[0]?.cases[0];
  assert.ok(first !== undefined);
  const none = new Map([...outcomes].map(([key, outcome]) => [key, { ...outcome, umoci: undefined }]));
  assert.equal(renderPage(sections, none, page), page);
  for (const change of [{ banger: "something else" }, { umoci: "something else" }]) {
    const changed = new Map(outcomes);
    changed.set(first, { asExpected: true, banger: "", umoci: undefined, ...outcomes.get(first), ...change });
    assert.notEqual(renderPage(sections, changed, page), page);
  }
});

test("every rule is held by tests that exist", () => {
  for (const { text, heldBy } of rules) {
    assert.ok(heldBy.length > 0, `no test holds: ${text}`);
    for (const held of heldBy) assert.ok(hasTest(held), `${held.file} has no test "${held.title}"`);
  }
  for (const [name, title] of [
    ["flatten-paths", "no such test"],
    ["no-such-file", "a NUL in a name is refused"],
    ["flatten-paths", "a NUL in a name"],
    ["tar-refusals", "refused: what nobody ever wrote"],
    ["sparse", "old GNU: a map that is fine is refused"],
  ] as const) {
    assert.ok(
      by(name, title).every((held) => !hasTest(held)),
      `${name}: ${title}`,
    );
  }
});

const time = { mtime: 1_000_000_000 };
const fields = { ...time, mode: 0o640, uid: 3, xattrs: { "user.a": "1" } };
/** The entries of a tree, by name, in which one thing at a time is changed. */
const parts = {
  f: file("f", "content", fields),
  g: hardlink("g", "f", fields),
  s: symlink("s", "target", time),
  c: device("c", "character", 1, 3, time),
};
const changes: Readonly<Record<string, Partial<Record<keyof typeof parts, Buffer>>>> = {
  "`f`: content": { f: file("f", "CONTENT", fields) },
  "`f`: size 8 instead of 7": { f: file("f", "content+", fields) },
  "`f`: mode 641 instead of 640": { f: file("f", "content", { ...fields, mode: 0o641 }) },
  "`f`: owner 4:0 instead of 3:0": { f: file("f", "content", { ...fields, uid: 4 }) },
  "`f`: mtime 1000000000.000000001 instead of 1000000000": {
    f: file("f", "content", { ...fields, pax: { mtime: "1000000000.000000001" } }),
  },
  "`f`: another user.a": { f: file("f", "content", { ...fields, xattrs: { "user.a": "2" } }) },
  "`f`: no user.a; `f`: has user.b": { f: file("f", "content", { ...fields, xattrs: { "user.b": "1" } }) },
  "`f`: names 1 instead of 2; `g`: names 1 instead of 2; `g`: the inode of `g` instead of `f`": {
    g: file("g", "content", fields),
  },
  "`s`: target TARGET instead of target": { s: symlink("s", "TARGET", time) },
  "`s`: file instead of symlink": { s: file("s", "target", time) },
  "`c`: device 260 instead of 259": { c: device("c", "character", 1, 4, time) },
  "`c`: block instead of character": { c: device("c", "block", 1, 3, time) },
  "`c` is missing": { c: Buffer.alloc(0) },
  "`more` is there": { c: Buffer.concat([parts.c, file("more", "", time)]) },
};

test("the comparison with umoci's tree sees every kind of difference", { skip }, async () => {
  await using folder = await makeTempDir("banger-umoci-");
  await using pool = makeScanPool(1);
  let layouts = 0;
  const layoutOf = async (example: Case): Promise<string> => {
    const layout = join(folder.path, String(layouts++));
    await writeLayout(layout, { latest: example.image });
    return layout;
  };
  const base = keeps([tar(...Object.values(parts))]);
  const banger = await runBanger(await layoutOf(base), pool, join(folder.path, "cache"));
  const compared = async (example: Case): Promise<string> => {
    const layout = await layoutOf(example);
    return umociOutcome(banger, await runUmoci(layout, join(layout, "unpacked")), base, 2n ** 63n);
  };
  assert.equal(await compared(base), "same");
  for (const [expected, change] of Object.entries(changes)) {
    const outcome = await compared(keeps([tar(...Object.values({ ...parts, ...change }))]));
    assert.ok(outcome.startsWith(expected), `${expected}: ${outcome}`);
  }
});
