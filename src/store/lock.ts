import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { BangerError, asBangerError } from "../base/error.ts";
import { writeAtomic } from "../base/files.ts";

/** Who holds a state folder, as a second daemon tells its user. */
export interface LockHolder {
  readonly pid: number;
  readonly socketPath: string;
}

/**
 * Makes this process the one owner of a state folder until it disposes of the lock, or ends in any way: the lock
 * is SQLite's exclusive one on a file of its own, which the kernel frees even after SIGKILL. The file must not be
 * opened in this process by other means, because closing any descriptor of it would drop the lock (fcntl(2)).
 *
 * @throws BangerError STATE_LOCKED, naming the holder.
 */
export async function lockState(stateDir: string, holder: LockHolder): Promise<AsyncDisposable> {
  const sidecar = join(stateDir, "daemon.json");
  const connection = acquire(join(stateDir, "daemon.lock"), stateDir, sidecar);
  try {
    await writeAtomic(sidecar, Buffer.from(`${JSON.stringify(holder)}\n`));
  } catch (error) {
    connection.close();
    throw asBangerError(error, "lock state folder");
  }
  let held = true;
  return {
    [Symbol.asyncDispose]: async () => {
      if (!held) return;
      held = false;
      try {
        await rm(sidecar, { force: true });
      } finally {
        connection.close();
      }
    },
  };
}

function acquire(path: string, stateDir: string, sidecar: string): SQLite.Database {
  let connection: SQLite.Database | undefined;
  try {
    connection = new SQLite(path, { timeout: 0 });
    connection.exec("BEGIN EXCLUSIVE");
    return connection;
  } catch (error) {
    connection?.close();
    if (!(error instanceof SQLite.SqliteError)) throw asBangerError(error, "lock state folder");
    if (error.code.startsWith("SQLITE_BUSY")) throw lockedError(stateDir, readHolder(sidecar));
    throw new BangerError("STORE_FAILED", `${path}: ${error.message} (${error.code})`, {
      op: "lock state folder",
      cause: error,
      hint: "Check that the state folder is on a local disk, and yours to write.",
    });
  }
}

/** Best effort: the holder may be between taking the lock and saying so, or the file a dead one's. */
function readHolder(sidecar: string): LockHolder | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(sidecar, "utf8"));
    if (typeof value !== "object" || value === null) return undefined;
    if (!("pid" in value) || !("socketPath" in value)) return undefined;
    const { pid, socketPath } = value;
    if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
    if (typeof socketPath !== "string" || !isAlive(pid)) return undefined;
    return { pid, socketPath };
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, and is another user's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function lockedError(stateDir: string, holder: LockHolder | undefined): BangerError {
  const who = holder === undefined ? "another bangerd" : `the bangerd with pid ${holder.pid}`;
  const socket = holder === undefined ? "" : `, which serves ${holder.socketPath}`;
  return new BangerError("STATE_LOCKED", `the state folder ${stateDir} is held by ${who}${socket}`, {
    op: "lock state folder",
    hint:
      holder === undefined
        ? "Use the daemon that runs, stop it, or choose another --state-dir."
        : `Talk to it with \`banger --socket ${holder.socketPath}\`, stop it, or choose another --state-dir.`,
    facts: holder === undefined ? {} : { pid: String(holder.pid), socket: holder.socketPath },
  });
}
