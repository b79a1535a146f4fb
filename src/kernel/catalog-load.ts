import { isAbsolute } from "node:path";
import { BangerError, asBangerError, errnoOf, messageOf } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import type { Clock } from "../base/retry.ts";
import { readSmallFile } from "../base/small-file.ts";
import { isLocalReference } from "../oci/source-reference.ts";
import { fetchWebDocument } from "../registry/web-document.ts";
import type { WebOptions } from "../registry/web-transport.ts";
import type { CatalogCopies, CatalogCopy } from "./catalog-copy.ts";
import { parseCatalog } from "./catalog-document.ts";
import { isPlainUrl, isUrl } from "./kernel-ref.ts";
import type { CatalogEntry } from "./kernel-source.ts";

/** Where a catalog is, as the config has it: an absolute path, or an http or https URL. */
export interface CatalogSource {
  readonly name: string;
  readonly location: string;
}

export interface CatalogDeps {
  readonly copies: CatalogCopies;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly web: WebOptions;
}

export interface LoadedCatalog {
  readonly entries: readonly CatalogEntry[];
  readonly warnings: readonly string[];
  /** It offers nothing because it could not be asked; the warnings say why. */
  readonly failed: boolean;
}

const op = "load catalog";
/** Tries at a server, the first included: there may be a copy, and somebody waits. */
const attempts = 2;

/**
 * The entries of one catalog. One that can't be had is no error: a warning says why, and whether a copy stands in
 * for it, and how old that is.
 *
 * @throws BangerError CANCELLED
 */
export async function loadCatalog(
  source: CatalogSource,
  deps: CatalogDeps,
  signal: AbortSignal,
): Promise<LoadedCatalog> {
  try {
    if (isUrl(source.location)) return await loadFromUrl(source, deps, signal);
    const bytes = await readCatalogFile(source.location, deps.limits.catalogBytes);
    return { entries: parseCatalog(bytes, source.name, deps.limits), warnings: [], failed: false };
  } catch (error) {
    if (signal.aborted) throw asBangerError(signal.reason, op);
    return { entries: [], warnings: [`${called(source)} ${whyNot(error)}`], failed: true };
  }
}

async function loadFromUrl(
  source: CatalogSource,
  deps: CatalogDeps,
  signal: AbortSignal,
): Promise<LoadedCatalog> {
  const { copies, clock } = deps;
  if (!isPlainUrl(source.location)) {
    throw new BangerError("CONFIG_INVALID", "has a malformed URL, or one with credentials in it", { op });
  }
  const copy = await copies.read(source.location);
  let fresh: CatalogCopy;
  let entries: readonly CatalogEntry[];
  try {
    fresh = await revalidate(source.location, copy, deps, signal);
    entries = parseCatalog(fresh.bytes, source.name, deps.limits);
  } catch (error) {
    if (signal.aborted || copy === undefined) throw error;
    const age = formatAge(clock.now() - copy.confirmedAt);
    const warning = `${called(source)} ${whyNot(error)}; its copy of ${age} ago is used`;
    return remote(parseCatalog(copy.bytes, source.name, deps.limits), source, [warning]);
  }
  try {
    await copies.write(source.location, fresh);
    return remote(entries, source, []);
  } catch (error) {
    const warning = `${called(source)} can't be kept for when it is not to be reached (${messageOf(error)})`;
    return remote(entries, source, [warning]);
  }
}

/** What the server has now. Bounded in time as a whole: each answer has its own bounds besides. */
async function revalidate(
  location: string,
  copy: CatalogCopy | undefined,
  { limits, clock, web }: CatalogDeps,
  signal: AbortSignal,
): Promise<CatalogCopy> {
  const late = new AbortController();
  const seconds = limits.catalogMs / 1000;
  const timer = setTimeout(() => {
    late.abort(new BangerError("CATALOG_UNAVAILABLE", `it was not here within ${seconds} s`, { op }));
  }, limits.catalogMs);
  try {
    const document = await fetchWebDocument(
      new URL(location),
      copy?.validators ?? {},
      limits.catalogBytes,
      { ...web, clock, limits: { ...limits, attempts: Math.min(attempts, limits.attempts) } },
      { signal: AbortSignal.any([signal, late.signal]), onRetry: () => {} },
    );
    const confirmedAt = Math.max(0, Math.floor(clock.now()));
    if (document.kind === "changed") return { ...document, confirmedAt };
    if (copy !== undefined) return { ...copy, confirmedAt };
    throw new BangerError("REGISTRY_PROTOCOL", "its server says that nothing has changed, unasked", { op });
  } finally {
    clearTimeout(timer);
  }
}

/** Somebody else's catalog names no file of this machine: what the daemon may read, its author may not. */
function remote(
  entries: readonly CatalogEntry[],
  source: CatalogSource,
  warnings: readonly string[],
): LoadedCatalog {
  const own = entries.filter((entry) => !isLocal(entry));
  const left = entries.filter((entry) => isLocal(entry)).map(({ name }) => name);
  const names =
    left.length > 5 ? `${left.slice(0, 5).join(", ")} and ${left.length - 5} more` : left.join(", ");
  const warning = `${called(source)} names files of this machine, as only a catalog that is a file may; left out: ${names}`;
  return { entries: own, warnings: left.length === 0 ? warnings : [...warnings, warning], failed: false };
}

function isLocal({ source }: CatalogEntry): boolean {
  switch (source.kind) {
    case "deb":
      return !isUrl(source.location);
    case "artifact":
      return isLocalReference(source.reference);
    case "url":
      return false;
  }
}

async function readCatalogFile(path: string, limit: number): Promise<Buffer> {
  if (!isAbsolute(path)) {
    throw new BangerError("CONFIG_INVALID", "is neither an absolute path nor an http or https URL", { op });
  }
  const bytes = await readSmallFile(path, limit);
  if (bytes === "not a file") throw new BangerError("CATALOG_INVALID", "is no file", { op });
  if (bytes === "too large")
    throw new BangerError("LIMIT_DOCUMENT_SIZE", `has more than the ${limit} bytes that are allowed`, { op });
  return bytes;
}

function called({ name, location }: CatalogSource): string {
  const query = location.indexOf("?");
  return `catalog ${name} (${query < 0 ? location : location.slice(0, query)})`;
}

function whyNot(error: unknown): string {
  if (errnoOf(error) === "ENOENT") return "is not there";
  return `can't be used: ${messageOf(error)}`;
}

const units: readonly (readonly [string, number])[] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

/** As a person says how long ago something was; a clock that was set back makes it no less than nothing. */
export function formatAge(ms: number): string {
  for (const [unit, length] of units) {
    const count = Math.floor(ms / length);
    if (count >= 1) return `${count} ${unit}${count === 1 ? "" : "s"}`;
  }
  return "less than a minute";
}
