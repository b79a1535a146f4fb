import { sql, type Kysely } from "kysely";
import { BangerError } from "../base/error.ts";
import { pageOf } from "./page-size.ts";
import { fingerprint, formatPageToken, parsePageToken } from "./page-token.ts";
import type { PullRecord, StoredRequest } from "./records.ts";
import { parsePull, pullRow } from "./rows.ts";
import type { Schema } from "./schema.ts";

export interface PullQuery {
  /** 1 to 1000. */
  readonly pageSize: number;
  readonly pageToken?: string | undefined;
  readonly activeOnly: boolean;
}

export interface PullPage {
  /** Newest first. */
  readonly pulls: readonly PullRecord[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/** Ended pulls that are remembered: years of a person's, a week of a busy machine's. */
const keptPulls = 10_000;

/** A pull that was cut off, and goes on. */
export interface ResumablePull {
  readonly record: PullRecord;
  /** As `insertPull` was given it. */
  readonly requestJson: string;
}

/** What became of pulls that a daemon left when it ended. */
export interface InterruptedPulls {
  /** Ids of those that failed by it. */
  readonly ended: readonly string[];
  /** Detached ones; their rows still say that they run. */
  readonly resumable: readonly ResumablePull[];
}

/** Adds a pull, and forgets what ended before `keepSince` or is too much: a daemon may run for years. */
export async function insertPull(
  db: Kysely<Schema>,
  record: PullRecord,
  request: StoredRequest | undefined,
  keepSince: number,
): Promise<void> {
  const had_credentials = request?.hadCredentials === true ? 1 : 0;
  const row = { ...pullRow(record), request_json: request?.json ?? "", had_credentials };
  await db.insertInto("pulls").values(row).execute();
  await forgetOldPulls(db, keepSince);
}

async function forgetOldPulls(db: Kysely<Schema>, keepSince: number): Promise<void> {
  await db
    .deleteFrom("pulls")
    .where("ended_at", "<", keepSince)
    .where("state", "not in", ["waiting", "running"])
    .execute();
  await db
    .deleteFrom("pulls")
    .where("id", "in", (eb) =>
      eb
        .selectFrom("pulls")
        .select("id")
        .orderBy("started_at", "desc")
        .orderBy("id", "desc")
        .limit(-1)
        .offset(keptPulls),
    )
    .where("state", "not in", ["waiting", "running"])
    .execute();
}

export async function updatePull(db: Kysely<Schema>, record: PullRecord): Promise<void> {
  const { id, request_json: _fixed, had_credentials: _too, ...changes } = pullRow(record);
  const result = await db.updateTable("pulls").set(changes).where("id", "=", id).executeTakeFirst();
  if (result.numUpdatedRows === 0n) throw pullUnknownError(id);
}

export async function deletePull(db: Kysely<Schema>, id: string): Promise<void> {
  await db.deleteFrom("pulls").where("id", "=", id).execute();
}

/** @param id whole, or a unique beginning of it */
export async function findPull(db: Kysely<Schema>, id: string): Promise<PullRecord> {
  const all = db.selectFrom("pulls").selectAll();
  const exact = await all.where("id", "=", id).executeTakeFirst();
  if (exact !== undefined) return parsePull(exact);
  const found = isShortPullId(id)
    ? await all.where("id", ">=", id).where("id", "<", `${id}~`).limit(2).execute()
    : [];
  if (found.length > 1) throw ambiguousError(id);
  const [row] = found;
  if (row === undefined) throw pullUnknownError(id);
  return parsePull(row);
}

/**
 * Whether it may be the beginning of a pull's id: with as many digits as of an image's, for fewer would make a mistyped
 * one cancel another pull.
 */
export function isShortPullId(id: string): boolean {
  return /^p[0-9a-f]{4,15}$/.test(id);
}

export async function listPulls(db: Kysely<Schema>, query: PullQuery): Promise<PullPage> {
  const print = fingerprint("pulls", query.activeOnly);
  let select = db.selectFrom("pulls").selectAll();
  // Literals, not parameters: SQLite uses the partial index only where the text implies its condition.
  if (query.activeOnly) select = select.where(sql<boolean>`state IN ('waiting', 'running')`);
  if (query.pageToken !== undefined) {
    const { key, id } = parsePageToken(query.pageToken, print);
    select = select.where(sql<boolean>`(started_at, id) < (${key}, ${id})`);
  }
  const rows = await select
    .orderBy("started_at", "desc")
    .orderBy("id", "desc")
    .limit(query.pageSize + 1)
    .execute();
  const page = pageOf(rows, query.pageSize, (row) => [
    row.reference,
    row.failure_message,
    row.stage_times_json,
  ]);
  const last = page.at(-1);
  const more = rows.length > page.length && last !== undefined;
  return {
    pulls: page.map(parsePull),
    nextPageToken: more ? formatPageToken({ key: last.started_at, id: last.id }, print) : "",
  };
}

export async function unendedPullCount(db: Kysely<Schema>): Promise<number> {
  const { count } = await db
    .selectFrom("pulls")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where(sql<boolean>`state IN ('waiting', 'running')`)
    .executeTakeFirstOrThrow();
  return count;
}

/**
 * Called once at the start, under the state folder's lock: whatever still counts as running was cut off with the
 * daemon that ran it. Detached ones may go on, unless they need credentials, which are kept nowhere; the others have
 * failed. Idempotent. Forgets the oldest pulls as well.
 */
export async function endInterruptedPulls(
  db: Kysely<Schema>,
  now: number,
  keepSince: number,
): Promise<InterruptedPulls> {
  const shutDown = {
    failure_reason: "SHUTTING_DOWN",
    failure_message: "The daemon ended while this pull ran. Pull again: what was downloaded is kept.",
  };
  const needsCredentials = {
    failure_reason: "CREDENTIALS_GONE",
    failure_message:
      "The daemon ended while this pull ran, and it can't go on without its credentials, which are kept nowhere. Pull again with them.",
  };
  return db.transaction().execute(async (trx) => {
    const cut = await trx
      .selectFrom("pulls")
      .selectAll()
      .where("state", "in", ["waiting", "running"])
      .execute();
    const ended: string[] = [];
    const resumable: ResumablePull[] = [];
    for (const row of cut) {
      if (row.detached === 1 && row.had_credentials === 0 && row.request_json !== "") {
        resumable.push({ record: parsePull(row), requestJson: row.request_json });
        continue;
      }
      const why = row.detached === 1 && row.had_credentials === 1 ? needsCredentials : shutDown;
      const changes = { state: "failed", ended_at: now, ...why };
      await trx.updateTable("pulls").set(changes).where("id", "=", row.id).execute();
      ended.push(row.id);
    }
    await forgetOldPulls(trx, keepSince);
    return { ended, resumable };
  });
}

function pullUnknownError(id: string): BangerError {
  return new BangerError("PULL_UNKNOWN", `there is no pull ${JSON.stringify(id.slice(0, 200))}`, {
    op: "find pull",
    hint: "List the pulls with `banger pull ls --all`; an id may be shortened to a unique beginning with 4 digits or more.",
  });
}

function ambiguousError(prefix: string): BangerError {
  return new BangerError("OPTION_INVALID", `several pulls have an id that begins with ${prefix}`, {
    op: "find pull",
    hint: "Give more digits of the id.",
    fields: [{ field: "pull_id", description: "It is the beginning of several pulls' ids." }],
  });
}
