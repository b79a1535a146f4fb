import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { BangerError, asBangerError, errnoOf, hasReason, messageOf } from "../base/error.ts";
import { sweepTemporaries, writeAtomic } from "../base/files.ts";

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
  const lock = lockFile(join(stateDir, "daemon.lock"));
  if (lock === undefined) throw lockedError(stateDir, readHolder(sidecar));
  try {
    await sweepTemporaries(stateDir);
    await writeHolder(sidecar, holder);
  } catch (error) {
    lock[Symbol.dispose]();
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
        lock[Symbol.dispose]();
      }
    },
  };
}

/** On a full disk nobody is told who holds the lock, which is held all the same. */
async function writeHolder(sidecar: string, holder: LockHolder): Promise<void> {
  try {
    await writeAtomic(sidecar, Buffer.from(`${JSON.stringify(holder)}\n`));
  } catch (error) {
    if (!hasReason(asBangerError(error, "lock state folder"), "DISK_FULL")) throw error;
  }
}

/**
 * Locks a file of its own, made where there is none and left there: removing a lock's file lets two hold it.
 *
 * @returns undefined where another process, or this one, holds it.
 * @throws BangerError STORE_FAILED where the file can't be made or locked.
 */
export function lockFile(path: string): Disposable | undefined {
  let connection: SQLite.Database | undefined;
  // Who may open it may lock it: it is made for its owner alone. All of this is synchronous.
  const umask = process.umask(0o177);
  try {
    connection = new SQLite(path, { timeout: 0 });
    // Nothing is ever written, so that a journal beside the file would only be litter after a kill, and one thing
    // more that a full disk has no room for. Not OFF, which better-sqlite3's defensive mode ignores.
    connection.pragma("journal_mode = MEMORY");
    connection.exec("BEGIN EXCLUSIVE");
    const held = connection;
    return { [Symbol.dispose]: () => void held.close() };
  } catch (error) {
    connection?.close();
    if (error instanceof SQLite.SqliteError && error.code.startsWith("SQLITE_BUSY")) return undefined;
    throw new BangerError("STORE_FAILED", `${path} can't be locked: ${messageOf(error)}`, {
      op: "lock",
      cause: error,
      hint: "Check that its folder exists, is on a local disk, and is yours to write.",
    });
  } finally {
    process.umask(umask);
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
    return errnoOf(error) === "EPERM";
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
