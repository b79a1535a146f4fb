import { existsSync, readFileSync } from "node:fs";
import SQLite from "better-sqlite3";
import { migrations } from "./migrations/index.ts";
import { newerSchemaError, openError } from "./open.ts";

/** What a database holds, as somebody sees it who does not have the state folder. */
export interface PeekedStore {
  readonly imageIds: ReadonlySet<string>;
  /** Of those that wait or run, or did when their daemon ended. */
  readonly unendedPulls: number;
}

const nothing: PeekedStore = { imageIds: new Set(), unendedPulls: 0 };

/**
 * Looks into a database that no daemon of this process has open, and leaves it and its folder as they are. One that is not
 * there, or empty, holds nothing.
 *
 * @throws BangerError STORE_FAILED or PERMISSION_DENIED, as opening it would.
 */
export function peekStore(path: string): PeekedStore {
  let connection: SQLite.Database | undefined;
  try {
    connection = openCopyOrFile(path);
    return connection === undefined ? nothing : readStore(connection, path);
  } catch (error) {
    throw openError(error, path);
  } finally {
    connection?.close();
  }
}

/**
 * A reader of a database in WAL mode makes `-wal` and `-shm` where there are none, and leaves them. Without a log all is
 * in the file, and a copy of that in memory does as well; undefined where nothing is in it.
 */
function openCopyOrFile(path: string): SQLite.Database | undefined {
  if (existsSync(`${path}-wal`)) return new SQLite(path, { readonly: true });
  if (!existsSync(path)) return undefined;
  const bytes = readFileSync(path);
  if (bytes.length === 0) return undefined;
  // The versions that tell WAL mode, which nothing in memory has: sqlite.org/fileformat2.html#file_format_version_numbers.
  for (const at of [18, 19]) if (bytes[at] === 2) bytes[at] = 1;
  return new SQLite(bytes);
}

function readStore(connection: SQLite.Database, path: string): PeekedStore {
  connection.pragma("trusted_schema = OFF");
  const texts = (sql: string): readonly string[] =>
    connection
      .prepare(sql)
      .pluck()
      .all()
      .filter((value) => typeof value === "string");
  // None in a database whose first start was cut off.
  const tables = texts("SELECT name FROM sqlite_schema WHERE type = 'table'");
  if (!tables.includes("images") || !tables.includes("pulls")) return nothing;
  if (tables.includes("kysely_migration")) {
    const applied = texts("SELECT name FROM kysely_migration");
    if (applied.some((name) => !Object.hasOwn(migrations, name))) throw newerSchemaError(path);
  }
  return {
    imageIds: new Set(texts("SELECT id FROM images")),
    unendedPulls: texts("SELECT id FROM pulls WHERE state IN ('waiting', 'running')").length,
  };
}
