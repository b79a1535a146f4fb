/** `build-child.ts BUILDER FOLDER THREADS`: builds the awkward tree in a folder, as whoever runs it. */
import { makeDirectBuilder } from "../../src/ext4/direct/builder.ts";
import { e2fsprogsBuilder } from "../../src/ext4/e2fsprogs/builder.ts";
import { awkwardTree } from "./awkward-tree.ts";
import { buildAll, inputFor } from "./build-rig.ts";

const [builder = "", folder = "", threads = ""] = process.argv.slice(2);
const chosen = builder === "direct" ? makeDirectBuilder(Number(threads)) : e2fsprogsBuilder;
await buildAll(await inputFor(awkwardTree(), folder), chosen);
