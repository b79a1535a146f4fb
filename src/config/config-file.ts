import { parse, TomlError } from "smol-toml";
import { messageOf, type BangerError } from "../base/error.ts";
import type { Field } from "./field.ts";
import { allMistakes, configError, maxMistakes } from "./mistakes.ts";
import { meantKey } from "./meant-key.ts";
import { sections, type Section } from "./schema.ts";
import { TomlPlaces, type TomlPath } from "./toml-places.ts";

type Table = Readonly<Record<string, unknown>>;

/** A table that is being read. */
export interface TableReader {
  readonly path: TomlPath;
  /**
   * What the key says; what it is by default where the file does not say, or says something wrong.
   *
   * @throws BangerError CONFIG_INVALID for a wrong one that has no default, which no table of `tables` has.
   */
  get<T>(field: Field<T>): T;
}

interface Mistake {
  readonly path: TomlPath;
  readonly problem: string;
  readonly hint: string | undefined;
}

/** A config file's text by the schema: what it says, and everything that is wrong with it. */
export class ConfigFile {
  readonly #root: Table;
  readonly #places: TomlPlaces;
  readonly #path: string;
  readonly #mistakes: Mistake[] = [];
  /** Paths of all mistakes, those that are not told too. */
  readonly #wrong = new Set<string>();
  /** The same, and all that those are in. */
  readonly #unsound = new Set<string>();

  /**
   * @param path the file's, for errors
   * @throws BangerError CONFIG_INVALID for a text that is not TOML.
   */
  constructor(text: string, path: string) {
    this.#path = path;
    this.#root = parseToml(text, path);
    this.#places = new TomlPlaces(text);
    this.#checkKeys();
    this.#checkFields();
  }

  table(...path: TomlPath): TableReader {
    const table = this.#tableAt(path);
    return {
      path,
      get: <T>(field: Field<T>): T => {
        const value = ownValue(table, field.key);
        const read = value === undefined ? undefined : field.read(value);
        if (read !== undefined) return read;
        if (field.fallback !== undefined) return field.fallback.value;
        throw this.failure() ?? configError(`${this.#path}: ${showPath([...path, field.key])} is missing`);
      },
    };
  }

  /** Those in which nothing is wrong. */
  tables(...path: TomlPath): readonly TableReader[] {
    return this.#elements(path)
      .map((index) => path.concat(index))
      .filter((element) => this.isSound(...element))
      .map((element) => this.table(...element));
  }

  /** Whether nothing is wrong with what is there, and with what is above and below it. */
  isSound(...path: TomlPath): boolean {
    if (this.#unsound.has(JSON.stringify(path))) return false;
    return path.every((_, at) => !this.#wrong.has(JSON.stringify(path.slice(0, at + 1))));
  }

  /** Something that is wrong; of one place only the first is told. */
  note(path: TomlPath, problem: string, hint?: string | (() => string)): void {
    const name = JSON.stringify(path);
    if (this.#wrong.has(name)) return;
    this.#wrong.add(name);
    for (const at of path.keys()) this.#unsound.add(JSON.stringify(path.slice(0, at + 1)));
    if (this.#mistakes.length === maxMistakes) return;
    this.#mistakes.push({ path, problem, hint: typeof hint === "function" ? hint() : hint });
  }

  /** All that was found, as one error; undefined where all is well. */
  failure(): BangerError | undefined {
    if (this.#mistakes.length === 0) return undefined;
    const placed = this.#mistakes.map((mistake) => ({ mistake, place: this.#places.of(mistake.path) }));
    placed.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
    const errors = placed.map(({ mistake: { path, problem, hint }, place: { line, column } }) => {
      const key = showPath(path);
      const message = `${this.#path}:${line}:${column}: ${key}${problem.startsWith("is ") ? " " : ": "}${problem}`;
      const facts = { path: this.#path, line: String(line), column: String(column), key };
      return configError(message, { facts, hint });
    });
    return allMistakes(this.#path, errors, this.#wrong.size);
  }

  /** The positions in an array of tables. */
  #elements(path: TomlPath): readonly number[] {
    const value = ownValue(this.#tableAt(path.slice(0, -1)), path.at(-1) ?? "") ?? [];
    if (Array.isArray(value)) return [...value.keys()];
    this.note(path, `expected an array of tables, [[${path.join(".")}]]`);
    return [];
  }

  /** The table there, an empty one where none is; what of the way is no table is noted. */
  #tableAt(path: TomlPath): Table {
    let value: unknown = this.#root;
    for (const [at, key] of path.entries()) {
      value = isTable(value) || Array.isArray(value) ? ownValue(value, key) : undefined;
      const next = path[at + 1];
      if (value === undefined) return {};
      if (typeof next !== "number" && !isTable(value)) {
        this.note(path.slice(0, at + 1), "expected a table");
        return {};
      }
    }
    return isTable(value) ? value : {};
  }

  #checkKeys(): void {
    const root: string[] = [];
    const under = new Map<string, string[]>();
    for (const { name } of sections) {
      const [first = "", second] = name.split(".");
      root.push(first);
      if (second !== undefined) under.set(first, [...(under.get(first) ?? []), second]);
    }
    this.#noteOthers([], root);
    for (const [parent, names] of under) this.#noteOthers([parent], names);
    for (const section of sections) {
      const keys = section.fields.map(({ key }) => key);
      for (const path of this.#tablesOf(section)) this.#noteOthers(path, keys);
    }
  }

  #noteOthers(path: TomlPath, known: readonly string[]): void {
    for (const key of Object.keys(this.#tableAt(path))) {
      if (known.includes(key)) continue;
      const elsewhere = sections.filter(({ fields }) => fields.some((field) => field.key === key));
      const problem = `is no setting that is known: expected ${listed(known)}`;
      this.note([...path, key], problem, () => hintFor(key, known, elsewhere));
    }
  }

  #checkFields(): void {
    for (const section of sections) {
      for (const path of this.#tablesOf(section)) {
        const table = this.#tableAt(path);
        if (this.#wrong.has(JSON.stringify(path))) continue;
        for (const field of section.fields) this.#checkField(table, path, field);
      }
    }
  }

  #checkField(table: Table, path: TomlPath, { key, expects, fallback, read }: Field<unknown>): void {
    const value = ownValue(table, key);
    if (value === undefined) {
      if (fallback === undefined) this.note([...path, key], `is missing: expected ${expects}`);
    } else if (read(value) === undefined) this.note([...path, key], `expected ${expects}`);
  }

  /** Where the tables of a section are. */
  #tablesOf({ name, many }: Section): readonly TomlPath[] {
    const path: TomlPath = name.split(".");
    return many ? this.#elements(path).map((index) => path.concat(index)) : [path];
  }
}

/** Names that a line has room for. */
const fewNames = 12;

function listed(names: readonly string[]): string {
  return `one of ${names.length <= fewNames ? names.join(", ") : `${names.length} others`}`;
}

function hintFor(key: string, known: readonly string[], elsewhere: readonly Section[]): string {
  const near = meantKey(key, known);
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
