/** `build-child.ts FOLDER THREADS`: builds the awkward tree in a folder, as whoever runs it. */
import { makeDirectBuilder } from "../../../src/ext4/direct/builder.ts";
import { awkwardTree } from "../awkward-tree.ts";
import { buildAll, inputFor } from "../build-rig.ts";

const [folder = "", threads = ""] = process.argv.slice(2);
await buildAll(await inputFor(awkwardTree(), folder), makeDirectBuilder(Number(threads)));
