import { sql, type Kysely } from "kysely";
import type { Schema } from "../schema.ts";

const statements = [
  sql`CREATE TABLE images (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT UNIQUE CHECK (name <> ''),
    name_order TEXT NOT NULL GENERATED ALWAYS AS (coalesce(name, '~')) VIRTUAL,
    repository TEXT NOT NULL,
    reference TEXT NOT NULL,
    manifest_digest TEXT NOT NULL,
    index_digest TEXT,
    config_digest TEXT NOT NULL,
    platform_json TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    options_key TEXT NOT NULL,
    builder TEXT NOT NULL,
    rootfs_size_bytes INTEGER NOT NULL,
    rootfs_allocated_bytes INTEGER NOT NULL,
    rootfs_digest TEXT,
    filesystem_uuid TEXT NOT NULL,
    inode_count INTEGER NOT NULL,
    content_bytes INTEGER NOT NULL,
    config_json TEXT NOT NULL,
    losses_json TEXT NOT NULL,
    stage_times_json TEXT NOT NULL
  ) STRICT`,
  // One for each order of a list, so that a page costs what it holds and not what the table holds.
  sql`CREATE INDEX images_by_name ON images (name_order, id)`,
  sql`CREATE INDEX images_by_age ON images (created_at, id)`,
  sql`CREATE INDEX images_by_space ON images (rootfs_allocated_bytes, id)`,
  sql`CREATE INDEX images_by_repository ON images (repository, name_order, id)`,
  sql`CREATE INDEX images_by_key ON images (manifest_digest, options_key)`,
  sql`CREATE TABLE image_layers (
    image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    digest TEXT NOT NULL,
    diff_id TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    inflated_bytes INTEGER NOT NULL,
    entry_count INTEGER NOT NULL,
    PRIMARY KEY (image_id, position)
  ) STRICT, WITHOUT ROWID`,
  // A pruned cache asks which blobs are still some image's.
  sql`CREATE INDEX image_layers_by_digest ON image_layers (digest)`,
  sql`CREATE TABLE pulls (
    id TEXT PRIMARY KEY NOT NULL,
    reference TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'published', 'failed', 'cancelled')),
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    manifest_digest TEXT,
    image_id TEXT,
    stage_times_json TEXT NOT NULL,
    failure_reason TEXT NOT NULL,
    failure_message TEXT NOT NULL,
    detached INTEGER NOT NULL CHECK (detached IN (0, 1))
  ) STRICT`,
  sql`CREATE INDEX pulls_by_age ON pulls (started_at, id)`,
  sql`CREATE INDEX pulls_active ON pulls (started_at, id) WHERE state IN ('waiting', 'running')`,
];

export async function up(db: Kysely<Schema>): Promise<void> {
  for (const statement of statements) await statement.execute(db);
}
