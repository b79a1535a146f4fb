import { closeSync, openSync } from "node:fs";
import SQLite from "better-sqlite3";
import { Kysely, SqliteAdapter, SqliteDialect, SqliteDriver, type DatabaseConnection } from "kysely";
import { Migrator, type Migration } from "kysely/migration";
import { BangerError, asBangerError, errnoOf, messageOf } from "../base/error.ts";
import { migrations } from "./migrations/index.ts";
import type { Schema } from "./schema.ts";
import { withStatementCache, type Connection } from "./statement-cache.ts";

/** How long a statement waits for another process that writes, as a backup does, in milliseconds. */
const busyTimeoutMs = 5000;

/**
 * Kysely says of SQLite that it can't roll back DDL. SQLite can (sqlite.org/lang_transaction.html), and with this
 * all pending migrations are one transaction: a failed or killed one leaves the schema as it was.
 */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/**
 * SQLite itself rolls a transaction back where the disk is full or fails (sqlite.org/lang_transaction.html, "Response To
 * Errors Within A Transaction"): a second time would fail, and hide what was wrong.
 */
class AwareSqliteDriver extends SqliteDriver {
  readonly #database: Connection;

  constructor(database: Connection) {
    super({ database });
    this.#database = database;
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#database.inTransaction) await super.rollbackTransaction(connection);
  }
}

class TransactionalSqliteDialect extends SqliteDialect {
  readonly #database: Connection;

  constructor(database: Connection) {
    super({ database });
    this.#database = database;
  }

  override createDriver(): AwareSqliteDriver {
    return new AwareSqliteDriver(this.#database);
  }

  override createAdapter(): SqliteAdapter {
    return new TransactionalSqliteAdapter();
  }
}

/**
 * Opens the database, makes it where there is none, and brings its schema up to date. The caller holds the state
 * folder's lock, and destroys what it gets.
 *
 * @throws BangerError STORE_FAILED, PERMISSION_DENIED or DISK_FULL.
 */
export async function openDatabase(
  path: string,
  wanted: Readonly<Record<string, Migration>> = migrations,
): Promise<Kysely<Schema>> {
  let connection: SQLite.Database | undefined;
  try {
    connection = connect(path);
    await migrate(queriesOn(connection), path, wanted);
    return queriesOn(withStatementCache(connection));
  } catch (error) {
    connection?.close();
    throw openError(error, path);
  }
}

/** Destroying what this returns closes the connection. */
function queriesOn(connection: Connection): Kysely<Schema> {
  return new Kysely<Schema>({ dialect: new TransactionalSqliteDialect(connection) });
}

function connect(path: string): SQLite.Database {
  // SQLite would make it 0644 less the umask; `-wal` and `-shm` take over whatever mode it has.
  closeSync(openSync(path, "a", 0o600));
  const connection = new SQLite(path, { timeout: busyTimeoutMs });
  try {
    connection.pragma("journal_mode = WAL");
    // "Published" must survive a power cut: in WAL mode only FULL syncs the log at each commit.
    connection.pragma("synchronous = FULL");
    connection.pragma("foreign_keys = ON");
    // What a row says is parsed, and no schema is trusted to call functions.
    connection.pragma("trusted_schema = OFF");
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

async function migrate(
  db: Kysely<Schema>,
  path: string,
  wanted: Readonly<Record<string, Migration>>,
): Promise<void> {
  const provider = { getMigrations: () => Promise.resolve({ ...wanted }) };
  // Two that touch different tables may be released in either order; one that is unknown here is refused all the same.
  const migrator = new Migrator({ db, provider, allowUnorderedMigrations: true });
  const applied = (await migrator.getMigrations()).filter((one) => one.executedAt !== undefined);
  if (applied.length > Object.keys(wanted).length) throw newerSchemaError(path);
  const { error, results } = await migrator.migrateToLatest();
  if (error === undefined) return;
  if (isDiskFull(error)) throw error;
  const failed = results?.find((result) => result.status === "Error")?.migrationName;
  // Kysely has no code for "a migration was applied that I do not know"; no failed step tells it apart.
  if (failed === undefined && applied.length > 0) throw newerSchemaError(path, error);
  throw new BangerError("STORE_FAILED", `${path}: migration ${failed ?? "of the schema"} failed`, {
    op: "migrate store",
    cause: error,
    hint: "The database is as it was before. Report this with the daemon's log.",
  });
}

export function newerSchemaError(path: string, cause?: unknown): BangerError {
  return new BangerError("STORE_FAILED", `${path} was written by another version of bangerd`, {
    op: "migrate store",
    cause,
    hint: "Run the newest bangerd that this state folder was used with, or choose another --state-dir.",
  });
}

/** SHMSIZE: the log's index is a file too, and the first that finds no room for itself. */
export function isDiskFull(error: unknown): error is InstanceType<typeof SQLite.SqliteError> {
  return (
    error instanceof SQLite.SqliteError &&
    (error.code === "SQLITE_FULL" || error.code === "SQLITE_IOERR_SHMSIZE")
  );
}

/** Where the file is no database any more, or was none ever. */
function isDamaged({ code }: InstanceType<typeof SQLite.SqliteError>): boolean {
  return code === "SQLITE_NOTADB" || code.startsWith("SQLITE_CORRUPT");
}

/** What opening a database failed of, and what to do about it. */
export function openError(error: unknown, path: string): BangerError {
  const op = "open store";
  if (isDiskFull(error)) {
    return new BangerError("DISK_FULL", `${path}: no space left for the store`, { op, cause: error });
  }
  if (error instanceof SQLite.SqliteError) {
    return new BangerError("STORE_FAILED", `${path}: ${error.message} (${error.code})`, {
      op,
      cause: error,
      hint: isDamaged(error)
        ? `Restore ${path} from a backup, or from what \`sqlite3 ${path} .recover\` saves, and leave the images where they are.`
        : `Check that the disk of ${path} is there, in order, and has room.`,
    });
  }
  if (errnoOf(error) === "ENOENT") {
    return new BangerError("STORE_FAILED", `${path}: ${messageOf(error)}`, { op, cause: error });
  }
  return asBangerError(error, op);
}
