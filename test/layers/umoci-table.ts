/**
 * Runs every case of every rule through banger and umoci, as root on an ext4, and prints docs/layer-rules.md as it
 * should be; with `--write`, writes it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sections } from "./rules/all.ts";
import { runAll } from "./rules/run-all.ts";
import { whyNotUmoci } from "./rules/run-umoci.ts";
import { renderPage } from "./rules/table.ts";

const reason = whyNotUmoci();
if (reason !== undefined) throw new Error(reason);
const page = join(import.meta.dirname, "..", "..", "docs", "layer-rules.md");
const outcomes = await runAll(sections, { umoci: true, slow: true });
const text = renderPage(sections, outcomes, readFileSync(page, { encoding: "utf8", flag: "a+" }));
if (process.argv.includes("--write")) writeFileSync(page, text);
else process.stdout.write(text);
