import SQLite from "better-sqlite3";
import { newImageId } from "../../src/images/layout.ts";
import { imageRow, layerRows } from "../../src/store/rows.ts";
import { digestFor, imageRecord } from "./records.ts";

/** Fills a store that is closed with images of five layers, a tenth of them nameless. Returns their ids. */
export function seedStore(path: string, count: number): readonly string[] {
  const raw = new SQLite(path);
  const ids = Array.from({ length: count }, newImageId);
  raw.transaction(() => {
    for (const [at, id] of ids.entries()) {
      const record = imageRecord({
        id,
        name: at % 10 === 0 ? "" : `image-${String(at).padStart(6, "0")}`,
        repository: `registry.example/r${at % 500}`,
        createdAt: 1_700_000_000_000 + at,
        rootfsAllocatedBytes: (at * 7919) % 1_000_003,
        layers: [1, 2, 3, 4, 5].map((layer) => ({
          digest: digestFor(`layer ${at % 1000} ${layer}`),
          diffId: digestFor(`diff ${at % 1000} ${layer}`),
          mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
          sizeBytes: 1000,
          inflatedBytes: 3000,
          entryCount: 10,
        })),
      });
      insert(raw, "images", { ...imageRow(record) });
      for (const row of layerRows(record)) insert(raw, "image_layers", { ...row });
    }
  })();
  raw.close();
  return ids;
}

function insert(raw: SQLite.Database, table: string, row: Readonly<Record<string, unknown>>): void {
  const columns = Object.keys(row);
  const values = columns.map((column) => `@${column}`);
  raw.prepare(`INSERT INTO ${table} (${columns.join(", ")}) VALUES (${values.join(", ")})`).run(row);
}
