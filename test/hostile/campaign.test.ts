import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { CampaignReport } from "./campaign.ts";

/** So that garbage does not count as need: with less heap than a hostile layer makes it need, the process dies. */
const heapMiB = 256;

function runCampaignProcess(what: "prepare" | "run", root: string): string {
  const program = join(import.meta.dirname, "campaign-process.ts");
  const heap = what === "run" ? [`--max-old-space-size=${heapMiB}`] : [];
  const env = { ...process.env, TMPDIR: join(root, "tmp") };
  return execFileSync(process.execPath, [...heap, program, what, root], {
    encoding: "utf8",
    env,
    maxBuffer: 2 ** 26,
  });
}

test("hostile layers are built as they are, or refused by name, and nothing else happens", (t) => {
  const root = mkdtempSync(join(tmpdir(), "banger-hostile-"));
  try {
    mkdirSync(join(root, "r"));
    runCampaignProcess("prepare", join(root, "r"));
    const report: CampaignReport = JSON.parse(runCampaignProcess("run", join(root, "r")));
    const { complaints, refused, ...figures } = report;
    t.diagnostic(JSON.stringify(figures));
    t.diagnostic(JSON.stringify(refused));
    assert.deepEqual(complaints, []);
    assert.ok(figures.cases >= 300, `${figures.cases} cases`);
    assert.ok(figures.accepted >= 100, `${figures.accepted} accepted`);
    if (process.getuid?.() === 0) assert.ok(figures.imagesMounted >= 20, `${figures.imagesMounted} mounted`);
    assert.ok(figures.layersBuilt >= 100, `${figures.layersBuilt} layers built`);
    assert.ok(
      Object.keys(refused).length >= 35,
      `only ${Object.keys(refused).length} rules refused anything`,
    );
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
