import { join } from "node:path";
import { makeTempDir } from "../../../src/base/files.ts";
import { makeScanPool } from "../../../src/layers/scan.ts";
import { writeLayout } from "../../fakes/registry/images.ts";
import { bangerOutcome, isAsExpected, umociOutcome } from "./outcome.ts";
import type { Case, Section } from "./rule.ts";
import { runBanger } from "./run-banger.ts";
import { isExt4, runUmoci } from "./run-umoci.ts";

export interface Outcome {
  readonly asExpected: boolean;
  readonly banger: string;
  /** Undefined where umoci was not run. */
  readonly umoci: string | undefined;
}

export interface RunOptions {
  /** Runs umoci: for root only. */
  readonly umoci: boolean;
  /** Runs cases that take umoci many seconds, too. */
  readonly slow: boolean;
}

/** umoci processes at once. */
const parallel = 3;

/** Runs every case through banger's first stages and through umoci. */
export async function runAll(
  sections: readonly Section[],
  options: RunOptions,
): Promise<ReadonlyMap<Case, Outcome>> {
  const cases = sections.flatMap(({ rules }) => rules.flatMap((rule) => rule.cases));
  await using folder = await makeTempDir("banger-rules-");
  await using pool = makeScanPool(1);
  const outcomes = new Map<Case, Outcome>();
  const ext4 = isExt4();
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < cases.length; at = next++) {
      const example = cases[at];
      if (example === undefined) return;
      if (example.slow === true && !options.slow) continue;
      // A layout and a cache of its own: cases differ in what is stored under one digest.
      const layout = join(folder.path, String(at));
      await writeLayout(layout, { latest: example.image });
      const result = await runBanger(layout, pool, join(layout, "cache"));
      const wanted = options.umoci && (ext4 || example.needsExt4 !== true);
      const started = BigInt(Date.now() - 1000) * 1_000_000n;
      const other = wanted ? await runUmoci(layout, join(layout, "unpacked")) : undefined;
      outcomes.set(example, {
        asExpected: isAsExpected(result, example),
        banger: bangerOutcome(result),
        umoci: other && umociOutcome(result, other, example, started),
      });
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));
  return outcomes;
}
