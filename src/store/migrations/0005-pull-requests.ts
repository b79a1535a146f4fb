import { sql, type Kysely } from "kysely";
import type { Schema } from "../schema.ts";

/**
 * What a pull was asked for, without credentials, so that a detached one goes on after a restart; and whether there
 * were credentials, without which it can't. Pulls from before this can't go on: their request is empty.
 */
const statements = [
  sql`ALTER TABLE pulls ADD COLUMN request_json TEXT NOT NULL DEFAULT ''`,
  sql`ALTER TABLE pulls ADD COLUMN had_credentials INTEGER NOT NULL DEFAULT 0 CHECK (had_credentials IN (0, 1))`,
  // History is kept for a time: what has ended is looked for by when it did.
  sql`CREATE INDEX pulls_by_end ON pulls (ended_at) WHERE ended_at IS NOT NULL`,
];

export async function up(db: Kysely<Schema>): Promise<void> {
  for (const statement of statements) await statement.execute(db);
}
