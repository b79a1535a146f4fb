import { type Kysely, type Selectable } from "kysely";
import { BangerError } from "../base/error.ts";
import { Field } from "./json.ts";
import { fingerprint, formatPageToken, parsePageToken } from "./page-token.ts";
import { kernelTakenError, kernelUnknownError } from "../kernel/kernel-errors.ts";
import { kernelFormats } from "../kernel/kernel-head.ts";
import type { KernelRecord } from "../kernel/kernel-record.ts";
import { bootDrivers } from "../kernel/modules.ts";
import type { KernelsTable, Schema } from "./schema.ts";

export interface KernelQuery {
  /** 1 to 1000. */
  readonly pageSize: number;
  readonly pageToken?: string | undefined;
}

export interface KernelPage {
  /** By name. */
  readonly kernels: readonly KernelUse[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/** A kernel, and how many images were staged with it. */
export interface KernelUse {
  readonly kernel: KernelRecord;
  readonly imageCount: number;
}

/** Images that an error names; the rest are counted. */
const namedUsers = 3;

/** @throws BangerError NAME_TAKEN. */
export async function insertKernel(db: Kysely<Schema>, record: KernelRecord): Promise<void> {
  const { id, name, version, architecture, digest, contentDigest, source } = record;
  const { format, pvh, hasInitrd, modules, builtins, warnings } = record;
  const result = await db
    .insertInto("kernels")
    .values({
      ...{ id, name, version, architecture, digest, source },
      content_digest: contentDigest,
      size_bytes: record.sizeBytes,
      created_at: record.createdAt,
      details_json: JSON.stringify({ format, pvh, hasInitrd, modules, builtins, warnings }),
    })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .executeTakeFirst();
  if (result.numInsertedOrUpdatedRows === 0n) throw kernelTakenError(name);
}

export async function findKernel(db: Kysely<Schema>, name: string): Promise<KernelUse | undefined> {
  const row = await withCount(db).where("kernels.name", "=", name).executeTakeFirst();
  return row === undefined ? undefined : parseUse(row);
}

export async function listKernels(db: Kysely<Schema>, query: KernelQuery): Promise<KernelPage> {
  const print = fingerprint("kernels");
  let select = withCount(db);
  if (query.pageToken !== undefined) {
    select = select.where("kernels.name", ">", parsePageToken(query.pageToken, print).id);
  }
  const rows = await select
    .orderBy("kernels.name")
    .limit(query.pageSize + 1)
    .execute();
  const page = rows.slice(0, query.pageSize);
  const last = page.at(-1);
  const more = rows.length > page.length && last !== undefined;
  return {
    kernels: page.map(parseUse),
    nextPageToken: more ? formatPageToken({ key: last.name, id: last.name }, print) : "",
  };
}

/** @throws BangerError KERNEL_IN_USE where images use it, unless forced; KERNEL_UNKNOWN. */
export async function deleteKernel(db: Kysely<Schema>, id: string, force: boolean): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const users = await trx
      .selectFrom("images")
      .select(["id", "name"])
      .where("kernel_id", "=", id)
      .orderBy("name_order")
      .execute();
    const kernel = await trx.selectFrom("kernels").select("name").where("id", "=", id).executeTakeFirst();
    if (kernel === undefined) throw kernelUnknownError(id);
    if (users.length > 0 && !force) throw inUseError(kernel.name, users);
    await trx.deleteFrom("kernels").where("id", "=", id).execute();
  });
}

export async function allKernels(
  db: Kysely<Schema>,
): Promise<readonly { readonly id: string; readonly name: string }[]> {
  return db.selectFrom("kernels").select(["id", "name"]).execute();
}

function withCount(db: Kysely<Schema>) {
  return db
    .selectFrom("kernels")
    .selectAll("kernels")
    .select((eb) =>
      eb
        .selectFrom("images")
        .whereRef("images.kernel_id", "=", "kernels.id")
        .select((count) => count.fn.countAll<number>().as("count"))
        .as("image_count"),
    );
}

function parseUse(row: Selectable<KernelsTable> & { readonly image_count: number | null }): KernelUse {
  return { kernel: parseKernel(row), imageCount: row.image_count ?? 0 };
}

function parseKernel(row: Selectable<KernelsTable>): KernelRecord {
  const at = `kernel ${row.name}`;
  const details = Field.fromJson(row.details_json, `${at} details`);
  return {
    id: row.id,
    name: row.name,
    version: row.version,
    architecture: row.architecture,
    digest: new Field(row.digest, `${at} digest`).digest(),
    contentDigest: new Field(row.content_digest, `${at} content`).digest(),
    sizeBytes: row.size_bytes,
    createdAt: row.created_at,
    source: row.source,
    format: details.get("format").oneOf(kernelFormats),
    pvh: details.get("pvh").boolean(),
    hasInitrd: details.get("hasInitrd").boolean(),
    modules: details.get("modules").optional((modules) => ({
      release: modules.get("release").string(),
      indexed: modules.get("indexed").boolean(),
    })),
    builtins: details.get("builtins").optionalList((item) => item.oneOf(bootDrivers)),
    warnings: details.get("warnings").strings(),
  };
}

function inUseError(
  name: string,
  users: readonly { readonly id: string; readonly name: string | null }[],
): BangerError {
  const named = users.slice(0, namedUsers).map((user) => user.name ?? user.id);
  const more = users.length > named.length ? ` and ${users.length - named.length} more` : "";
  return new BangerError("KERNEL_IN_USE", `kernel ${name} is in use by ${named.join(", ")}${more}`, {
    op: "remove kernel",
    facts: { name, images: named.join(" ") },
  });
}
