import {
  sql,
  type Insertable,
  type Kysely,
  type SelectQueryBuilder,
  type Selectable,
  type Transaction,
} from "kysely";
import { BangerError } from "../base/error.ts";
import { isDigest, type Digest } from "../base/digest.ts";
import { maxEdits, nearest } from "../base/nearest.ts";
import { pageOf } from "./page-size.ts";
import { fingerprint, formatPageToken, parsePageToken } from "./page-token.ts";
import type { ImageRecord } from "./records.ts";
import { imageRow, layerRows, parseImage, parseSummary, summaryColumns, type ImageSummary } from "./rows.ts";
import type { ImagesTable, Schema } from "./schema.ts";

export type ImageListOrder = "name" | "newest" | "largest";

export interface ImageQuery {
  /** 1 to 1000. */
  readonly pageSize: number;
  /** As the page before gave it. */
  readonly pageToken?: string | undefined;
  readonly namePrefix?: string | undefined;
  readonly repository?: string | undefined;
  readonly order: ImageListOrder;
  readonly includeNameless: boolean;
}

export interface ImagePage {
  readonly images: readonly ImageSummary[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/** Rows of one INSERT: SQLite takes 32,766 parameters a statement, a row has eight, an image up to 1,000 rows. */
const layersAtOnce = 250;

/** Names that a misspelled one is compared with: some milliseconds' work, and nobody tells more names apart. */
const maxNamesCompared = 1000;

/** Digits that an id must begin with to be found by them: fewer would make a mistyped name delete something. */
const minPrefixLength = 4;

/** @throws BangerError NAME_TAKEN where another repository's image holds the record's name. */
export async function insertImage(db: Kysely<Schema>, record: ImageRecord): Promise<void> {
  await db.transaction().execute(async (trx) => {
    if (record.name !== "") await freeName(trx, record.name, record.repository);
    await trx
      .insertInto("images")
      .values(await withKernel(trx, imageRow(record)))
      .execute();
    const layers = layerRows(record);
    for (let at = 0; at < layers.length; at += layersAtOnce) {
      await trx
        .insertInto("image_layers")
        .values(layers.slice(at, at + layersAtOnce))
        .execute();
    }
  });
}

/** The kernel may have been removed, by force, since the image was staged with it: the image has its files. */
async function withKernel(
  trx: Transaction<Schema>,
  row: Insertable<ImagesTable>,
): Promise<Insertable<ImagesTable>> {
  const { kernel_id: id } = row;
  if (id === undefined || id === null) return row;
  const kernel = await trx.selectFrom("kernels").select("id").where("id", "=", id).executeTakeFirst();
  return kernel === undefined ? { ...row, kernel_id: null } : row;
}

/** Takes the name from an image of the same repository; refuses to take it from another repository's. */
async function freeName(trx: Transaction<Schema>, name: string, repository: string): Promise<void> {
  const holder = await trx
    .selectFrom("images")
    .select(["id", "repository"])
    .where("name", "=", name)
    .executeTakeFirst();
  if (holder === undefined) return;
  if (holder.repository !== repository) throw nameTakenError(name, holder);
  await trx.updateTable("images").set({ name: null }).where("id", "=", holder.id).execute();
}

export async function findByName(db: Kysely<Schema>, name: string): Promise<ImageRecord | undefined> {
  if (name === "") return undefined;
  return takeOne(db, db.selectFrom("images").selectAll().where("name", "=", name).limit(1));
}

export async function findNameless(
  db: Kysely<Schema>,
  repository: string,
  manifestDigest: Digest,
  optionsKey: string,
): Promise<ImageRecord | undefined> {
  return takeOne(
    db,
    db
      .selectFrom("images")
      .selectAll()
      .where("manifest_digest", "=", manifestDigest)
      .where("options_key", "=", optionsKey)
      .where("repository", "=", repository)
      .where("name", "is", null)
      .orderBy("created_at", "desc")
      .limit(1),
  );
}

export async function findImage(db: Kysely<Schema>, wanted: string): Promise<ImageRecord> {
  const all = db.selectFrom("images").selectAll();
  // An id before a name: a name that copies another image's id must not shadow it.
  const exact = (await takeOne(db, all.where("id", "=", wanted))) ?? (await findByName(db, wanted));
  if (exact !== undefined) return exact;
  if (wanted.length >= minPrefixLength && /^[0-9a-f]+$/.test(wanted)) {
    const found = await all.where("id", ">=", wanted).where("id", "<", `${wanted}~`).limit(2).execute();
    if (found.length > 1) throw ambiguousError(wanted);
    const [row] = found;
    if (row !== undefined) return load(db, row);
  }
  throw imageUnknownError(wanted, await nearestName(db, wanted));
}

/** The name that was meant, if one is that near. */
async function nearestName(db: Kysely<Schema>, wanted: string): Promise<string | undefined> {
  const rows = await db
    .selectFrom("images")
    .select("name")
    .where(sql<number>`abs(length(name) - ${wanted.length})`, "<=", maxEdits)
    .orderBy("name")
    .limit(maxNamesCompared)
    .execute();
  return nearest(
    wanted,
    rows.flatMap(({ name }) => (name === null ? [] : [name])),
  );
}

export async function moveName(db: Kysely<Schema>, id: string, name: string): Promise<ImageRecord> {
  await db.transaction().execute(async (trx) => {
    const image = await trx
      .selectFrom("images")
      .select(["name", "repository"])
      .where("id", "=", id)
      .executeTakeFirst();
    if (image === undefined) throw imageUnknownError(id);
    if (image.name === name) return;
    await freeName(trx, name, image.repository);
    await trx.updateTable("images").set({ name }).where("id", "=", id).execute();
  });
  return findImage(db, id);
}

export async function renameImage(db: Kysely<Schema>, id: string, newName: string): Promise<ImageRecord> {
  await db.transaction().execute(async (trx) => {
    const holder = await trx
      .selectFrom("images")
      .select(["id", "repository"])
      .where("name", "=", newName)
      .executeTakeFirst();
    if (holder !== undefined && holder.id !== id) throw nameTakenError(newName, holder);
    const result = await trx
      .updateTable("images")
      .set({ name: newName })
      .where("id", "=", id)
      .executeTakeFirst();
    if (result.numUpdatedRows === 0n) throw imageUnknownError(id);
  });
  return findImage(db, id);
}

const orders = {
  name: { column: "name_order", direction: "asc", compare: sql.raw(">") },
  newest: { column: "created_at", direction: "desc", compare: sql.raw("<") },
  largest: { column: "rootfs_allocated_bytes", direction: "desc", compare: sql.raw("<") },
} as const;

/** Keyset paging: rows that come or go between two pages make no other row appear twice or not at all. */
export async function listImages(db: Kysely<Schema>, query: ImageQuery): Promise<ImagePage> {
  const { column, direction, compare } = orders[query.order];
  const print = fingerprint("images", query.order, query.namePrefix, query.repository, query.includeNameless);
  let select = db.selectFrom("images").select(summaryColumns).select(column);
  if (!query.includeNameless) select = select.where("name", "is not", null);
  if (query.repository !== undefined) select = select.where("repository", "=", query.repository);
  const prefix = query.namePrefix;
  if (prefix !== undefined) {
    // By the column of the order, so that one index serves both; what is nameless has a value there too.
    const until = `${prefix}\u{10ffff}`;
    select = select
      .where("name_order", ">=", prefix)
      .where("name_order", "<", until)
      .where("name", "is not", null);
  }
  if (query.pageToken !== undefined) {
    const { key, id } = parsePageToken(query.pageToken, print);
    select = select.where(sql<boolean>`(${sql.ref(column)}, id) ${compare} (${key}, ${id})`);
  }
  const rows = await select
    .orderBy(column, direction)
    .orderBy("id", direction)
    .limit(query.pageSize + 1)
    .execute();
  const page = pageOf(rows, query.pageSize, (row) => [row.config_json]);
  const last = page.at(-1);
  const more = rows.length > page.length && last !== undefined;
  return {
    images: page.map(parseSummary),
    nextPageToken: more ? formatPageToken({ key: last[column] ?? "", id: last.id }, print) : "",
  };
}

/** Its leases go with it: whoever calls has looked for them, or the image is lost already. */
export async function deleteImage(db: Kysely<Schema>, id: string): Promise<void> {
  const result = await db.deleteFrom("images").where("id", "=", id).executeTakeFirst();
  if (result.numDeletedRows === 0n) throw imageUnknownError(id);
}

export async function allImageIds(db: Kysely<Schema>): Promise<ReadonlySet<string>> {
  const rows = await db.selectFrom("images").select("id").execute();
  return new Set(rows.map((row) => row.id));
}

/** Layers that some image was made of. */
export async function referredDigests(db: Kysely<Schema>): Promise<ReadonlySet<Digest>> {
  const rows = await db.selectFrom("image_layers").select("digest").distinct().execute();
  return new Set(rows.map(({ digest }) => digest).filter(isDigest));
}

export async function imageCount(db: Kysely<Schema>): Promise<number> {
  const { count } = await db
    .selectFrom("images")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return count;
}

async function takeOne(
  db: Kysely<Schema>,
  query: SelectQueryBuilder<Schema, "images", Selectable<ImagesTable>>,
): Promise<ImageRecord | undefined> {
  const row = await query.executeTakeFirst();
  return row === undefined ? undefined : load(db, row);
}

async function load(db: Kysely<Schema>, row: Selectable<ImagesTable>): Promise<ImageRecord> {
  const layers = await db
    .selectFrom("image_layers")
    .selectAll()
    .where("image_id", "=", row.id)
    .orderBy("position")
    .execute();
  return parseImage(row, layers);
}

function nameTakenError(
  name: string,
  holder: { readonly id: string; readonly repository: string },
): BangerError {
  return new BangerError("NAME_TAKEN", `the name ${name} is held by an image of ${holder.repository}`, {
    op: "name image",
    hint: "Choose another name, or rename or delete the image that holds it.",
    fields: [{ field: "name", description: `It is held by image ${holder.id}.` }],
    facts: { name, holderId: holder.id, holderRepository: holder.repository },
  });
}

/** @param meant name of an image that is there */
export function imageUnknownError(wanted: string, meant?: string): BangerError {
  const hint =
    meant === undefined
      ? "List the images with `banger image ls`; an id may be shortened to a unique beginning of 4 digits or more."
      : `Did you mean ${meant}? \`banger image ls\` lists them all.`;
  return new BangerError("IMAGE_UNKNOWN", `there is no image ${JSON.stringify(wanted.slice(0, 200))}`, {
    op: "find image",
    hint,
    ...(meant === undefined ? {} : { facts: { nearestName: meant } }),
  });
}

function ambiguousError(prefix: string): BangerError {
  return new BangerError("OPTION_INVALID", `several images have an id that begins with ${prefix}`, {
    op: "find image",
    hint: "Give more digits of the id, or the image's name.",
    fields: [{ field: "image", description: "It is the beginning of several images' ids." }],
  });
}
