import { layersOf, scanLayers } from "./layout.ts";

/** `scan-process.ts LAYOUT INDEXES`: fills the folder with the indexes of the layers. */
const [layout = "", indexFolder = ""] = process.argv.slice(2);
await scanLayers(await layersOf(layout), indexFolder);
