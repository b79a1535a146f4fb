/** Builds the awkward tree as whoever runs it, in TMPDIR, and prints what became of it. */
import { awkwardTree } from "./awkward-tree.ts";
import { buildAndInspect, inputFor, workFolder } from "./build-rig.ts";

await using folder = workFolder();
const { facts, verdict } = await buildAndInspect(await inputFor(awkwardTree(), folder.path));
process.stdout.write(JSON.stringify({ uid: process.geteuid?.(), facts, verdict }));
