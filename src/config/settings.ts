import type { Limits } from "../base/limits.ts";
import type { SignatureSetting } from "../signature/policy.ts";

/** What a config file says, its gaps filled with the defaults. Undefined is what the daemon decides by itself. */
export interface Settings {
  readonly paths: PathSettings;
  readonly socket: SocketSettings;
  readonly pulls: PullSettings;
  /** Those of `[limits]`, and with them `pulls.concurrent`, `registry.concurrent_downloads` and its timeouts. */
  readonly limits: Limits;
  readonly registry: RegistrySettings;
  /** Whose signatures are asked for; the order is the file's. */
  readonly signatures: readonly SignatureSetting[];
  readonly kernels: { readonly catalogs: readonly CatalogSetting[] };
  readonly cache: CacheSettings;
  readonly log: LogSettings;
  readonly metrics: { readonly listen: ListenAddress | undefined };
  /** Base URL of an OTLP/HTTP collector, without a slash at its end. */
  readonly tracing: { readonly endpoint: string | undefined };
}

/** Absolute paths. */
export interface PathSettings {
  readonly stateDir: string | undefined;
  readonly cacheDir: string | undefined;
  readonly socket: string | undefined;
  readonly tempDir: string | undefined;
}

export interface SocketSettings {
  /** Permission bits, as 0o660. */
  readonly mode: number;
  /** Name or number of a group. */
  readonly group: string | undefined;
}

export interface PullSettings {
  /** How long ended pulls stay in the history, in milliseconds. */
  readonly keepHistoryMs: number;
  readonly builder: "direct" | "e2fsprogs" | undefined;
}

export interface RegistrySettings {
  /** Bytes a second of all downloads together. */
  readonly bandwidth: number | undefined;
  readonly certsDirs: readonly string[] | undefined;
}

export interface CatalogSetting {
  readonly name: string;
  /** Absolute path, or http(s) URL. */
  readonly location: string;
}

/** Bytes of the cache: above the high mark it is pruned, down to the low one. */
export interface CacheSettings {
  readonly highWater: number | undefined;
  readonly lowWater: number | undefined;
}

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

export const logFormats = ["text", "json"] as const;
export type LogFormat = (typeof logFormats)[number];

export interface LogSettings {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };
