import { BangerError } from "../base/error.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import { parsePolicies, type SignatureSetting } from "../signature/policy.ts";
import { ConfigFile, type TableReader } from "./config-file.ts";
import * as schema from "./schema.ts";
import type { Settings } from "./settings.ts";

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
 * @throws BangerError CONFIG_INVALID that names file, line, column and key of all that is wrong, and says what was
 *   expected.
 */
export function parseConfig(text: string, path: string): Config {
  const { failure, ...config } = parseWhatIsRight(text, path);
  if (failure !== undefined) throw failure;
  return config;
}

/** A config file of which some may be wrong: that is by default then, and a table of many is left out. */
export interface PartialConfig extends Config {
  /** All that is wrong. */
  readonly failure: BangerError | undefined;
}

/**
 * The same, for one who goes on with what a wrong file says rightly.
 *
 * @throws BangerError CONFIG_INVALID for a text that is not TOML.
 */
export function parseWhatIsRight(text: string, path: string): PartialConfig {
  const file = new ConfigFile(text, path);
  const settings = settingsOf(file);
  checkTogether(settings, file);
  return { settings, values: valuesOf(file), failure: file.failure() };
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
    signatures: file.tables("signatures").map(policyOf),
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

function policyOf(table: TableReader): SignatureSetting {
  const { scope, key, accept } = schema.signatureFields;
  return { scope: table.get(scope), key: table.get(key), accept: table.get(accept) };
}

/** What no value is wrong in by itself. */
function checkTogether({ cache }: Settings, file: ConfigFile): void {
  const { highWater, lowWater } = cache;
  if (lowWater !== undefined && file.isSound("cache")) {
    if (highWater === undefined || lowWater > highWater) {
      file.note(["cache", "low_water"], "expected a high_water that is at least as large");
    }
  }
  const names = new Set<string>();
  for (const table of file.tables("kernels", "catalogs")) {
    const name = table.get(schema.catalogFields.name);
    if (names.has(name)) file.note([...table.path, "name"], "expected a name that no catalog above has");
    names.add(name);
  }
  const policies: SignatureSetting[] = [];
  for (const table of file.tables("signatures")) {
    const policy = policyOf(table);
    try {
      parsePolicies([...policies, policy]);
      policies.push(policy);
    } catch (error) {
      if (!(error instanceof BangerError)) throw error;
      file.note([...table.path, "scope"], error.message, error.hint);
    }
  }
}
