import type SQLite from "better-sqlite3";
import type { SqliteDatabase, SqliteStatement } from "kysely";

/** What Kysely needs of a connection, and whether a transaction is open on it. */
export interface Connection extends SqliteDatabase {
  readonly inTransaction: boolean;
}

/** Every query of the program several times over; those that list values differ by how many. */
const maxStatements = 128;

/**
 * A connection that compiles each text of SQL once: for a query of one row, that takes as long as running it. The
 * least recently used ones are forgotten. SQLite compiles a statement anew where the schema has changed since
 * (sqlite.org/c3ref/prepare.html); better-sqlite3 keeps the names of its columns, so that this is for a schema that stays.
 */
export function withStatementCache(connection: SQLite.Database): Connection {
  const statements = new Map<string, SqliteStatement>();
  return {
    get inTransaction() {
      return connection.inTransaction;
    },
    prepare: (text) => {
      const statement = statements.get(text) ?? connection.prepare(text);
      statements.delete(text);
      statements.set(text, statement);
      const [oldest] = statements.keys();
      if (statements.size > maxStatements && oldest !== undefined) statements.delete(oldest);
      return statement;
    },
    close: () => {
      statements.clear();
      connection.close();
    },
  };
}
