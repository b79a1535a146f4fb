import { randomBytes } from "node:crypto";
import type { Kysely, Transaction } from "kysely";
import { BangerError } from "../base/error.ts";
import { imageUnknownError } from "./images.ts";
import type { LeaseRecord } from "./records.ts";
import type { Schema } from "./schema.ts";

export interface LeaseRequest {
  readonly imageId: string;
  readonly holder: string;
  readonly ttlMs: number;
  /** One that is held already and shall last longer; undefined for a new one. */
  readonly renew: string | undefined;
}

/** Leases of one image that have not ended: more are a caller that renews by acquiring anew. */
const maxLeases = 1000;

/**
 * Takes or renews a lease. What has ended counts as gone whenever it is looked at, so that no timer has to run, and is
 * removed here.
 *
 * @param condemned images that are being deleted at this moment
 * @throws BangerError IMAGE_UNKNOWN, LEASE_UNKNOWN, TOO_MANY_LEASES
 */
export async function acquireLease(
  db: Kysely<Schema>,
  request: LeaseRequest,
  now: number,
  condemned: ReadonlySet<string>,
): Promise<LeaseRecord> {
  const { imageId, holder, renew } = request;
  const expiresAt = now + request.ttlMs;
  return db.transaction().execute(async (trx) => {
    await trx.deleteFrom("leases").where("expires_at", "<=", now).execute();
    const image = await trx.selectFrom("images").select("id").where("id", "=", imageId).executeTakeFirst();
    if (image === undefined || condemned.has(imageId)) throw imageUnknownError(imageId);
    if (renew !== undefined) return renewed(trx, { id: renew, imageId, holder, expiresAt });
    await refuseTooMany(trx, imageId);
    const lease: LeaseRecord = { id: `l${randomBytes(16).toString("hex")}`, imageId, holder, expiresAt };
    const { id } = lease;
    const row = { id, image_id: imageId, holder, acquired_at: now, expires_at: expiresAt };
    await trx.insertInto("leases").values(row).execute();
    return lease;
  });
}

/** The holder's name may change: who takes a lease over says who it is. */
async function renewed(trx: Transaction<Schema>, lease: LeaseRecord): Promise<LeaseRecord> {
  const result = await trx
    .updateTable("leases")
    .set({ expires_at: lease.expiresAt, holder: lease.holder })
    .where("id", "=", lease.id)
    .where("image_id", "=", lease.imageId)
    .executeTakeFirst();
  if (result.numUpdatedRows === 0n) throw leaseUnknownError(lease.id);
  return lease;
}

async function refuseTooMany(trx: Transaction<Schema>, imageId: string): Promise<void> {
  const { held } = await trx
    .selectFrom("leases")
    .select((eb) => eb.fn.countAll<number>().as("held"))
    .where("image_id", "=", imageId)
    .executeTakeFirstOrThrow();
  if (held < maxLeases) return;
  throw new BangerError("TOO_MANY_LEASES", `image ${imageId} has ${held} leases, which is the most it may`, {
    op: "acquire image",
    facts: { image: imageId, limit: String(maxLeases) },
  });
}

/** @throws BangerError LEASE_UNKNOWN, also where it has ended. */
export async function releaseLease(db: Kysely<Schema>, id: string, now: number): Promise<void> {
  const result = await db
    .deleteFrom("leases")
    .where("id", "=", id)
    .where("expires_at", ">", now)
    .executeTakeFirst();
  if (result.numDeletedRows === 0n) throw leaseUnknownError(id);
}

/** Those that have not ended, the one that lasts longest first. */
export async function leasesOf(
  db: Kysely<Schema>,
  imageId: string,
  now: number,
): Promise<readonly LeaseRecord[]> {
  const rows = await db
    .selectFrom("leases")
    .selectAll()
    .where("image_id", "=", imageId)
    .where("expires_at", ">", now)
    .orderBy("expires_at", "desc")
    .execute();
  return rows.map(({ id, image_id, holder, expires_at }) => {
    return { id, imageId: image_id, holder, expiresAt: expires_at };
  });
}

/** @throws BangerError IMAGE_IN_USE that names who holds the image and until when. */
export async function refuseLeased(db: Kysely<Schema>, imageId: string, now: number): Promise<void> {
  const leases = await leasesOf(db, imageId, now);
  const [last] = leases;
  if (last === undefined) return;
  const until = new Date(last.expiresAt).toISOString();
  const others = leases.length === 1 ? "" : ` and ${leases.length - 1} more`;
  throw new BangerError(
    "IMAGE_IN_USE",
    `image ${imageId} is held by ${last.holder}${others} until ${until}`,
    {
      op: "delete image",
      hint: `Have ${last.holder} release it, or wait until ${until}, when its lease ends.`,
      facts: { image: imageId, holder: last.holder, expires: until, leases: String(leases.length) },
    },
  );
}

function leaseUnknownError(id: string): BangerError {
  return new BangerError(
    "LEASE_UNKNOWN",
    `there is no lease ${JSON.stringify(id.slice(0, 100))} of that image`,
    {
      op: "find lease",
      fields: [{ field: "lease_id", description: "No such lease: it has ended, or was released." }],
    },
  );
}
