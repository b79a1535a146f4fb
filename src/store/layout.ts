import { join } from "node:path";

/** The database of a state folder; SQLite's `-wal` and `-shm` are beside it. */
export function databasePath(stateDir: string): string {
  return join(stateDir, "banger.db");
}
