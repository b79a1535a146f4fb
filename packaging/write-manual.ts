import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { manualPages } from "../src/client/manual/pages.ts";

// `node packaging/write-manual.ts FOLDER`: the manual of this version, as `npm install --global` links it.
const [folder = "dist/man"] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
for (const [name, page] of manualPages()) writeFileSync(join(folder, name), page);
