import { isAbsolute, normalize } from "node:path";
import type { ListenAddress } from "./settings.ts";
import { maxDurationMs, parseDuration, parseSize, showDuration, showSize } from "./units.ts";

/** One key of the config: what it takes, what it is without, and what the reference says of it. */
export interface Field<T> {
  readonly key: string;
  /** Completes "expected …". */
  readonly expects: string;
  /** For the reference, in Markdown. */
  readonly says: string;
  /** What it is where the file does not say, as the reference shows it; undefined where the key must be there. */
  readonly fallback: { readonly value: T; readonly shown: string } | undefined;
  /** Undefined where a value is not what is expected. */
  readonly read: (value: unknown) => T | undefined;
}

interface Spec<T> {
  readonly key: string;
  readonly says: string;
  readonly fallback: Field<T>["fallback"];
}

/** A key that may be left out, for something that is then off, or decided elsewhere. */
export const absent = (shown: string): { readonly value: undefined; readonly shown: string } => ({
  value: undefined,
  shown,
});

export function pathField<T extends string | undefined>(spec: Spec<T | string>): Field<T | string> {
  return { ...spec, expects: "an absolute path", read: readPath };
}

export function pathListField<T>(spec: Spec<T | readonly string[]>): Field<T | readonly string[]> {
  const read = (value: unknown): readonly string[] | undefined => {
    if (!Array.isArray(value)) return undefined;
    const paths = value.map(readPath).filter((path) => path !== undefined);
    return paths.length === value.length ? paths : undefined;
  };
  return { ...spec, expects: "an array of absolute paths", read };
}

export function textField<T>(spec: Spec<T | string>, pattern: RegExp, expects: string): Field<T | string> {
  const read = (value: unknown): string | undefined =>
    typeof value === "string" && pattern.test(value) ? value : undefined;
  return { ...spec, expects, read };
}

export function choiceField<C extends string, T>(spec: Spec<T | C>, choices: readonly C[]): Field<T | C> {
  const read = (value: unknown): C | undefined => choices.find((choice) => choice === value);
  return { ...spec, expects: choices.map((choice) => `"${choice}"`).join(" or "), read };
}

/** What a number may be, both ends included. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

export function countField(spec: Spec<number>, { min, max }: Range): Field<number> {
  const top = max === Number.MAX_SAFE_INTEGER ? "" : ` to ${max}`;
  const read = (value: unknown): number | undefined => inRange(value, { min, max });
  return { ...spec, expects: `a whole number from ${min}${top}`, read };
}

export function sizeField<T>(spec: Spec<T | number>, { min, max }: Range): Field<T | number> {
  const top = max === Number.MAX_SAFE_INTEGER ? "" : ` to ${showSize(max)}`;
  const read = (value: unknown): number | undefined => inRange(parseSize(value), { min, max });
  return { ...spec, expects: `a size from ${showSize(min)}${top}, as "512MiB" or a number of bytes`, read };
}

export function durationField(
  spec: Spec<number>,
  { min, max }: Range = { min: 1, max: maxDurationMs },
): Field<number> {
  const range = `from ${showDuration(min)} to ${showDuration(max)}`;
  const read = (value: unknown): number | undefined => inRange(parseDuration(value), { min, max });
  return { ...spec, expects: `a length of time ${range}, as "90s" or "30d"`, read };
}

/** A socket must be its owner's to read and write, and nobody's who is neither owner nor group. */
export function socketModeField(spec: Spec<number>): Field<number> {
  const read = (value: unknown): number | undefined =>
    typeof value === "string" && /^0?6[06]0$/.test(value) ? Number.parseInt(value, 8) : undefined;
  return { ...spec, expects: '"0600", or "0660" to let the group in', read };
}

/** `127.0.0.1:9464`, `[::1]:9464` or an absolute path. Addresses are numbers, so that nothing need be looked up. */
export function listenField(spec: Spec<ListenAddress | undefined>): Field<ListenAddress | undefined> {
  const expects =
    'an address and a port, as "127.0.0.1:9464" or "[::1]:9464", or the absolute path of a socket';
  return { ...spec, expects, read: readListenAddress };
}

export function urlField<T>(spec: Spec<T | string>): Field<T | string> {
  return {
    ...spec,
    expects: 'an http or https URL without a user and a query, as "http://127.0.0.1:4318"',
    read: readUrl,
  };
}

export function pathOrUrlField(spec: Spec<string>): Field<string> {
  const read = (value: unknown): string | undefined => readPath(value) ?? readUrl(value);
  return { ...spec, expects: "an absolute path, or an http or https URL without a user and a query", read };
}

function inRange(value: unknown, { min, max }: Range): number | undefined {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) return undefined;
  return value >= min && value <= max ? value : undefined;
}

function readPath(value: unknown): string | undefined {
  const fine = typeof value === "string" && isAbsolute(value) && !value.includes("\0");
  return fine ? normalize(value).replace(/(?<=.)\/$/, "") : undefined;
}

/** As written but for slashes at its end. */
function readUrl(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const url = URL.parse(value);
  const plain = url !== null && (url.protocol === "http:" || url.protocol === "https:");
  if (!plain || url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
    return undefined;
  return value.replace(/\/+$/, "");
}

function readListenAddress(value: unknown): ListenAddress | undefined {
  const path = readPath(value);
  if (path !== undefined) return { kind: "unix", path };
  const match =
    typeof value === "string" ? /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([0-9]{1,5})$/i.exec(value) : null;
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) return undefined;
  const url = URL.parse(match?.[1] === undefined ? `http://${host}/` : `http://[${host}]/`);
  return url === null ? undefined : { kind: "tcp", host, port };
}
