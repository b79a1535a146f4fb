import { sql, type Kysely } from "kysely";
import type { Schema } from "../schema.ts";

/** Who uses an image, and until when: it can't be deleted as long. An image's row takes its leases with it. */
const statements = [
  sql`CREATE TABLE leases (
    id TEXT PRIMARY KEY NOT NULL,
    image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    holder TEXT NOT NULL,
    acquired_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT`,
  sql`CREATE INDEX leases_by_image ON leases (image_id, expires_at)`,
  sql`CREATE INDEX leases_by_end ON leases (expires_at)`,
];

export async function up(db: Kysely<Schema>): Promise<void> {
  for (const statement of statements) await statement.execute(db);
}
