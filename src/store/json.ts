import { BangerError } from "../base/error.ts";
import { isDigest, type Digest } from "../base/digest.ts";

/**
 * Reads what a column holds. The database is a file like another: an older version wrote it, or an editor, or a
 * dying disk. What does not have the expected form is STORE_FAILED and names the place, never a wrong record.
 */
export class Field {
  readonly #value: unknown;
  /** A page of images makes thousands of fields: their places are put together only where something is wrong. */
  readonly #name: string | number;
  readonly #above: Field | undefined;

  /** @param name the place; below another field, its key or its number there */
  constructor(value: unknown, name: string | number, above?: Field) {
    this.#value = value;
    this.#name = name;
    this.#above = above;
  }

  static fromJson(text: string, place: string): Field {
    try {
      const value: unknown = JSON.parse(text);
      return new Field(value, place);
    } catch (error) {
      throw corrupt(place, "JSON", error);
    }
  }

  get(name: string): Field {
    const value = this.#value;
    if (!isObject(value)) throw this.#corrupt("an object");
    return new Field(Object.hasOwn(value, name) ? value[name] : undefined, name, this);
  }

  string(): string {
    if (typeof this.#value === "string") return this.#value;
    throw this.#corrupt("a string");
  }

  optionalString(): string | undefined {
    return this.#value === undefined || this.#value === null ? undefined : this.string();
  }

  number(): number {
    if (typeof this.#value === "number" && Number.isFinite(this.#value)) return this.#value;
    throw this.#corrupt("a number");
  }

  boolean(): boolean {
    if (typeof this.#value === "boolean") return this.#value;
    throw this.#corrupt("true or false");
  }

  digest(): Digest {
    const text = this.string();
    if (isDigest(text)) return text;
    throw this.#corrupt("a digest");
  }

  optionalDigest(): Digest | undefined {
    return this.#value === undefined || this.#value === null ? undefined : this.digest();
  }

  oneOf<T extends string>(choices: readonly T[]): T {
    const text = this.string();
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return found;
    throw this.#corrupt(`one of ${choices.join(", ")}`);
  }

  list<T>(parse: (item: Field) => T): readonly T[] {
    if (!Array.isArray(this.#value)) throw this.#corrupt("a list");
    return this.#value.map((item: unknown, at) => parse(new Field(item, at, this)));
  }

  optionalList<T>(parse: (item: Field) => T): readonly T[] | undefined {
    return this.#value === undefined ? undefined : this.list(parse);
  }

  optional<T>(parse: (item: Field) => T): T | undefined {
    return this.#value === undefined || this.#value === null ? undefined : parse(this);
  }

  strings(): readonly string[] {
    const value = this.#value;
    return isStrings(value) ? value : this.list((item) => item.string());
  }

  /** Names to strings, as labels are. */
  stringMap(): Readonly<Record<string, string>> {
    const value = this.#value;
    if (!isObject(value)) throw this.#corrupt("an object");
    if (isStringMap(value)) return value;
    const pairs = Object.keys(value).map((name): [string, string] => [name, this.get(name).string()]);
    return Object.fromEntries(pairs);
  }

  #corrupt(expected: string): BangerError {
    return corrupt(this.#place(), expected);
  }

  #place(): string {
    if (this.#above === undefined) return String(this.#name);
    const above = this.#above.#place();
    return typeof this.#name === "number" ? `${above}[${this.#name}]` : `${above}.${this.#name}`;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function isStringMap(value: Readonly<Record<string, unknown>>): value is Readonly<Record<string, string>> {
  return Object.keys(value).every((name) => typeof value[name] === "string");
}

function corrupt(place: string, expected: string, cause?: unknown): BangerError {
  return new BangerError("STORE_FAILED", `the store holds something that is not ${expected} in ${place}`, {
    op: "read store",
    cause,
    hint: "The database is damaged: restore it from a backup, or move the state folder away and pull again.",
  });
}
