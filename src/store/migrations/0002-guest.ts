import { sql, type Kysely } from "kysely";
import type { Schema } from "../schema.ts";

/** What was put into an image besides its layers. Nothing had been, and nobody had looked for an init. */
const statements = [
  sql`ALTER TABLE images ADD COLUMN injected_files_json TEXT NOT NULL DEFAULT '[]'`,
  sql`ALTER TABLE images ADD COLUMN scrubbed_paths_json TEXT NOT NULL DEFAULT '[]'`,
  sql`ALTER TABLE images ADD COLUMN boot_readiness_json TEXT NOT NULL DEFAULT '{"initPath":"","obstacles":[]}'`,
];

export async function up(db: Kysely<Schema>): Promise<void> {
  for (const statement of statements) await statement.execute(db);
}
