import { sql, type Kysely } from "kysely";
import { BangerError } from "../base/error.ts";
import { fingerprint, formatPageToken, parsePageToken } from "./page-token.ts";
import type { PullRecord } from "./records.ts";
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

/** Adds a pull, and forgets the oldest that have ended where there are too many: a daemon may run for years. */
export async function insertPull(db: Kysely<Schema>, record: PullRecord): Promise<void> {
  await db.insertInto("pulls").values(pullRow(record)).execute();
  await forgetOldPulls(db);
}

async function forgetOldPulls(db: Kysely<Schema>): Promise<void> {
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
  const { id, ...changes } = pullRow(record);
  const result = await db.updateTable("pulls").set(changes).where("id", "=", id).executeTakeFirst();
  if (result.numUpdatedRows === 0n) throw pullUnknownError(id);
}

export async function deletePull(db: Kysely<Schema>, id: string): Promise<void> {
  await db.deleteFrom("pulls").where("id", "=", id).execute();
}

export async function findPull(db: Kysely<Schema>, id: string): Promise<PullRecord> {
  const row = await db.selectFrom("pulls").selectAll().where("id", "=", id).executeTakeFirst();
  if (row === undefined) throw pullUnknownError(id);
  return parsePull(row);
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
  const page = rows.slice(0, query.pageSize);
  const last = page.at(-1);
  const more = rows.length > page.length && last !== undefined;
  return {
    pulls: page.map(parsePull),
    nextPageToken: more ? formatPageToken({ key: last.started_at, id: last.id }, print) : "",
  };
}

/**
 * Called once at the start, under the state folder's lock: whatever still counts as running was cut off with the
 * daemon that ran it. Idempotent. Forgets the oldest pulls as well.
 *
 * @returns the ids of those that were cut off.
 */
export async function endInterruptedPulls(db: Kysely<Schema>, now: number): Promise<readonly string[]> {
  return db.transaction().execute(async (trx) => {
    const cut = await trx
      .updateTable("pulls")
      .set({
        state: "failed",
        ended_at: now,
        failure_reason: "SHUTTING_DOWN",
        failure_message: "The daemon ended while this pull ran; nothing of it was kept. Pull again.",
      })
      .where("state", "in", ["waiting", "running"])
      .returning("id")
      .execute();
    await forgetOldPulls(trx);
    return cut.map((row) => row.id);
  });
}

function pullUnknownError(id: string): BangerError {
  return new BangerError("PULL_UNKNOWN", `there is no pull ${JSON.stringify(id.slice(0, 200))}`, {
    op: "find pull",
    hint: "List the pulls with `banger pull ls`.",
  });
}
