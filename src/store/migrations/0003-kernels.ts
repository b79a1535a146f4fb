import { sql, type Kysely } from "kysely";
import type { Schema } from "../schema.ts";

/** Kernels, and what images have of them. An image keeps its own files when the kernel that they came from goes. */
const statements = [
  sql`CREATE TABLE kernels (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT UNIQUE NOT NULL CHECK (name <> ''),
    version TEXT NOT NULL,
    architecture TEXT NOT NULL,
    digest TEXT NOT NULL,
    content_digest TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    source TEXT NOT NULL,
    details_json TEXT NOT NULL
  ) STRICT`,
  sql`ALTER TABLE images ADD COLUMN kernel_id TEXT REFERENCES kernels (id) ON DELETE SET NULL`,
  sql`ALTER TABLE images ADD COLUMN boot_json TEXT`,
  sql`CREATE INDEX images_by_kernel ON images (kernel_id) WHERE kernel_id IS NOT NULL`,
];

export async function up(db: Kysely<Schema>): Promise<void> {
  for (const statement of statements) await statement.execute(db);
}
