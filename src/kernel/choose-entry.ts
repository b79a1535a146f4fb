import { BangerError } from "../base/error.ts";
import { nearest } from "../base/nearest.ts";
import { hostArchitecture, runsOn } from "./architecture.ts";
import { formatKernelSource } from "./kernel-ref.ts";
import type { CatalogEntry, CatalogList } from "./kernel-source.ts";

export interface EntryChoice {
  readonly name: string;
  /** Of the image that it is for; undefined takes this machine's where there is a choice. */
  readonly architecture: string | undefined;
}

const op = "choose kernel";

/** Names that a misspelled one is compared with: some milliseconds' work. */
const maxNamesCompared = 1000;

/**
 * The one entry that is meant. Pure.
 *
 * @throws BangerError KERNEL_UNKNOWN, CATALOG_UNAVAILABLE where a catalog that may have it could not be asked,
 *   KERNEL_MISMATCH, KERNEL_AMBIGUOUS.
 */
export function chooseEntry(
  { entries, warnings, unavailable = [] }: CatalogList,
  { name, architecture }: EntryChoice,
): CatalogEntry {
  const named = entries.filter((entry) => entry.name === name);
  if (named.length === 0)
    throw unavailable.length > 0 ? notAsked(name, unavailable) : unknown(name, entries, warnings);
  const fitting = fits(named, architecture);
  if (fitting.length === 0) {
    const offered = [...new Set(named.map((entry) => entry.architecture))].join(", ");
    const message = `catalogs offer kernel ${name} for ${offered}, and the image is for ${architecture ?? ""}`;
    throw new BangerError("KERNEL_MISMATCH", message, { op, facts: { kernel: name } });
  }
  const distinct = new Map(fitting.map((entry) => [formatKernelSource(entry.source), entry]));
  const [first, ...more] = distinct.values();
  if (first !== undefined && more.length === 0) return first;
  const choices = [...distinct].map(([source, entry]) => `${entry.catalog}: ${entry.version}, ${source}`);
  throw new BangerError(
    "KERNEL_AMBIGUOUS",
    `${choices.length} kernels are called ${name}: ${choices.join("; ")}`,
    {
      op,
      fields: [{ field: "kernel_ref", description: "Catalogs offer several kernels of that name." }],
      facts: { kernel: name },
    },
  );
}

function fits(entries: readonly CatalogEntry[], wanted: string | undefined): readonly CatalogEntry[] {
  if (wanted !== undefined) {
    const exact = entries.filter((entry) => entry.architecture === wanted);
    return exact.length > 0 ? exact : entries.filter((entry) => runsOn(entry.architecture, wanted));
  }
  const own = entries.filter((entry) => entry.architecture === hostArchitecture());
  return own.length > 0 ? own : entries;
}

function notAsked(name: string, unavailable: readonly string[]): BangerError {
  const message = `there is no kernel ${name} here, and not every catalog could be asked: ${unavailable.join("; ")}`;
  return new BangerError("CATALOG_UNAVAILABLE", message, { op, facts: { kernel: name } });
}

function unknown(name: string, entries: readonly CatalogEntry[], warnings: readonly string[]): BangerError {
  const why = warnings.length === 0 ? "" : ` (${warnings.join("; ")})`;
  const hint = entries.length === 0 && warnings.length === 0 ? withoutCatalogs : meantHint(name, entries);
  return new BangerError("KERNEL_UNKNOWN", `there is no kernel ${name} here, nor in a catalog${why}`, {
    op,
    facts: { kernel: name },
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Where none is configured, or none offers anything, there is nothing to list. */
const withoutCatalogs =
  "No catalog offers any: see `banger kernel ls` for those that are here, and `banger kernel pull --help` for other sources.";

function meantHint(name: string, entries: readonly CatalogEntry[]): string | undefined {
  const meant = nearest(
    name,
    entries.slice(0, maxNamesCompared).map((entry) => entry.name),
  );
  return meant === undefined ? undefined : `Did you mean ${meant}? \`banger kernel catalog\` lists them all.`;
}
