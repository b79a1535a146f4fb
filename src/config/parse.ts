import { parse, TomlError } from "smol-toml";
import { BangerError, messageOf } from "../base/error.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import type { Field } from "./field.ts";
import { nearest } from "./nearest.ts";
import { parsePolicies } from "../signature/policy.ts";
import * as schema from "./schema.ts";
import type { Settings } from "./settings.ts";
import { TomlPlaces, type TomlPath } from "./toml-places.ts";

export const configOp = "read config";

/** A config file, or none. */
export interface Config {
  readonly settings: Settings;
  /** The same by the keys of the file (`limits.entries`), as JSON; an array of tables is one value. */
  readonly values: ReadonlyMap<string, string>;
}

/** What the daemon is told by an empty file, or none. */
export function defaultConfig(): Config {
  return parseConfig("", "the defaults");
}

/**
 * Parses a config file. Strict: a key that is not known may be one that somebody relies on.
 *
 * @param path the file's, for errors
 * @throws BangerError CONFIG_INVALID that names file, line, column and key, and says what was expected.
 */
export function parseConfig(text: string, path: string): Config {
  const file = new ConfigFile(text, path);
  const settings = settingsOf(file);
  checkTogether(settings, file);
  return { settings, values: valuesOf(file) };
}

function valuesOf(file: ConfigFile): ReadonlyMap<string, string> {
  const read = (table: TableReader, { fields }: schema.Section): readonly (readonly [string, string])[] =>
    fields.map((field) => [field.key, JSON.stringify(table.get(field)) ?? ""]);
  return new Map(
    schema.sections.flatMap((section) => {
      const path = section.name.split(".");
      if (section.many) {
        return [[section.name, JSON.stringify(file.tables(...path).map((table) => read(table, section)))]];
      }
      return read(file.table(...path), section).map(([key, value]) => [`${section.name}.${key}`, value]);
    }),
  );
}

function settingsOf(file: ConfigFile): Settings {
  const { pathFields, socketFields, pullFields, registryFields, cacheFields, logFields } = schema;
  const paths = file.table("paths");
  const socket = file.table("socket");
  const pulls = file.table("pulls");
  const registry = file.table("registry");
  const cache = file.table("cache");
  const log = file.table("log");
  const limits: { -readonly [name in keyof Limits]: number } = { ...defaultLimits };
  for (const { name, field } of schema.limitFields) limits[name] = file.table("limits").get(field);
  limits.concurrentPulls = pulls.get(pullFields.concurrent);
  limits.concurrentDownloads = registry.get(registryFields.concurrentDownloads);
  limits.dialMs = registry.get(registryFields.dialTimeout);
  limits.responseMs = registry.get(registryFields.responseTimeout);
  limits.stallMs = registry.get(registryFields.stallTimeout);
  return {
    paths: {
      stateDir: paths.get(pathFields.stateDir),
      cacheDir: paths.get(pathFields.cacheDir),
      socket: paths.get(pathFields.socket),
      tempDir: paths.get(pathFields.tempDir),
    },
    socket: { mode: socket.get(socketFields.mode), group: socket.get(socketFields.group) },
    pulls: { keepHistoryMs: pulls.get(pullFields.keepHistory), builder: pulls.get(pullFields.builder) },
    limits,
    registry: {
      bandwidth: registry.get(registryFields.bandwidth),
      certsDirs: registry.get(registryFields.certsDirs),
    },
    signatures: file.tables("signatures").map((table) => ({
      scope: table.get(schema.signatureFields.scope),
      key: table.get(schema.signatureFields.key),
      accept: table.get(schema.signatureFields.accept),
    })),
    kernels: {
      catalogs: file.tables("kernels", "catalogs").map((table) => ({
        name: table.get(schema.catalogFields.name),
        location: table.get(schema.catalogFields.location),
      })),
    },
    cache: { highWater: cache.get(cacheFields.highWater), lowWater: cache.get(cacheFields.lowWater) },
    log: { level: log.get(logFields.level), format: log.get(logFields.format) },
    metrics: { listen: file.table("metrics").get(schema.metricsFields.listen) },
    tracing: { endpoint: file.table("tracing").get(schema.tracingFields.endpoint) },
  };
}

/** What no value is wrong in by itself. */
function checkTogether({ cache, kernels, signatures }: Settings, file: ConfigFile): void {
  const { highWater, lowWater } = cache;
  if (lowWater !== undefined && (highWater === undefined || lowWater > highWater)) {
    file.fail(["cache", "low_water"], "expected a high_water that is at least as large");
  }
  for (const [at, { name }] of kernels.catalogs.entries()) {
    const first = kernels.catalogs.findIndex((other) => other.name === name);
    if (first < at)
      file.fail(["kernels", "catalogs", at, "name"], "expected a name that no catalog above has");
  }
  for (const at of signatures.keys()) {
    try {
      parsePolicies(signatures.slice(0, at + 1));
    } catch (error) {
      if (!(error instanceof BangerError)) throw error;
      file.fail(["signatures", at, "scope"], error.message, error.hint);
    }
  }
}

type Table = Readonly<Record<string, unknown>>;

/** A table that is being read. */
interface TableReader {
  /** @throws BangerError CONFIG_INVALID. */
  get<T>(field: Field<T>): T;
}

class ConfigFile {
  readonly #root: Table;
  readonly #places: TomlPlaces;
  readonly #path: string;

  constructor(text: string, path: string) {
    this.#path = path;
    this.#root = parseToml(text, path);
    this.#places = new TomlPlaces(text);
    this.#checkKeys();
  }

  table(...path: TomlPath): TableReader {
    const table = this.#tableAt(path);
    return {
      get: <T>(field: Field<T>): T => {
        const value = ownValue(table, field.key);
        if (value === undefined) {
          return field.fallback === undefined
            ? this.fail([...path, field.key], `is missing: expected ${field.expects}`)
            : field.fallback.value;
        }
        return field.read(value) ?? this.fail([...path, field.key], `expected ${field.expects}`);
      },
    };
  }

  tables(...path: TomlPath): readonly TableReader[] {
    const [parent, name] = [this.#tableAt(path.slice(0, -1)), path.at(-1) ?? ""];
    const value = ownValue(parent, name) ?? [];
    if (!Array.isArray(value)) return this.fail(path, `expected an array of tables, [[${path.join(".")}]]`);
    return value.map((_, index) => this.table(...path, index));
  }

  fail(path: TomlPath, problem: string, hint?: string): never {
    const { line, column } = this.#places.of(path);
    const name = showPath(path);
    const message = `${this.#path}:${line}:${column}: ${name}${problem.startsWith("is ") ? " " : ": "}${problem}`;
    const facts = { path: this.#path, line: String(line), column: String(column), key: name };
    throw configError(message, { facts, ...(hint === undefined ? {} : { hint }) });
  }

  /** The value there; the message says which part of the way is no table. */
  #tableAt(path: TomlPath): Table {
    let value: unknown = this.#root;
    for (const [at, key] of path.entries()) {
      value = isTable(value) || Array.isArray(value) ? ownValue(value, key) : undefined;
      const next = path[at + 1];
      if (value === undefined) return {};
      if (typeof next !== "number" && !isTable(value)) this.fail(path.slice(0, at + 1), "expected a table");
    }
    return isTable(value) ? value : this.fail(path, "expected a table");
  }

  #checkKeys(): void {
    const root: string[] = [];
    const under = new Map<string, string[]>();
    for (const { name } of schema.sections) {
      const [first = "", second] = name.split(".");
      root.push(first);
      if (second !== undefined) under.set(first, [...(under.get(first) ?? []), second]);
    }
    this.#refuseOthers([], root);
    for (const [parent, names] of under) this.#refuseOthers([parent], names);
    for (const { name, fields, many } of schema.sections) {
      const keys = fields.map(({ key }) => key);
      const path = name.split(".");
      if (many) this.tables(...path).forEach((_, index) => this.#refuseOthers([...path, index], keys));
      else this.#refuseOthers(path, keys);
    }
  }

  #refuseOthers(path: TomlPath, known: readonly string[]): void {
    for (const key of Object.keys(this.#tableAt(path))) {
      if (known.includes(key)) continue;
      const elsewhere = schema.sections.filter(({ fields }) => fields.some((field) => field.key === key));
      const hint = hintFor(key, known, elsewhere);
      this.fail([...path, key], `is no setting that is known: expected ${listed(known)}`, hint);
    }
  }
}

/** Names that a line has room for. */
const fewNames = 12;

function listed(names: readonly string[]): string {
  return `one of ${names.length <= fewNames ? names.join(", ") : `${names.length} others`}`;
}

function hintFor(key: string, known: readonly string[], elsewhere: readonly schema.Section[]): string {
  const near = nearest(key, known);
  if (near !== undefined) return `Write ${near}, if that is what is meant; docs/config.md has all settings.`;
  const [section] = elsewhere;
  if (section !== undefined) return `Move it to [${section.name}], where it belongs.`;
  return "Remove it; docs/config.md has all settings.";
}

function parseToml(text: string, path: string): Table {
  try {
    return parse(text);
  } catch (error) {
    // The first line says what is wrong; the rest quotes the file.
    const [what = ""] = messageOf(error)
      .replace(/^Invalid TOML document: /, "")
      .split("\n");
    const place = error instanceof TomlError ? `:${error.line}:${error.column}` : "";
    throw configError(`${path}${place}: this is not TOML: ${what}`, { cause: error, facts: { path } });
  }
}

function configError(
  message: string,
  details: { hint?: string; cause?: unknown; facts: Readonly<Record<string, string>> },
): BangerError {
  return new BangerError("CONFIG_INVALID", message, { op: configOp, ...details });
}

/** Keys come from the file: no escape of theirs may reach a terminal. */
function showPath(path: TomlPath): string {
  let shown = "";
  for (const key of path) {
    if (typeof key === "number") shown += `[${key}]`;
    else shown += (shown === "" ? "" : ".") + (/^[\w-]+$/.test(key) ? key : JSON.stringify(key.slice(0, 80)));
  }
  return shown;
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function ownValue(parent: object, key: string | number): unknown {
  return Object.hasOwn(parent, key) ? Object.getOwnPropertyDescriptor(parent, key)?.value : undefined;
}
