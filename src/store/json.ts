import { BangerError } from "../base/error.ts";
import { isDigest, type Digest } from "../base/digest.ts";

/**
 * Reads what a column holds. The database is a file like another: an older version wrote it, or an editor, or a
 * dying disk. What does not have the expected form is STORE_FAILED and names the place, never a wrong record.
 */
export class Field {
  readonly #value: unknown;
  readonly #place: string;

  constructor(value: unknown, place: string) {
    this.#value = value;
    this.#place = place;
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
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw corrupt(this.#place, "an object");
    }
    const property = Object.getOwnPropertyDescriptor(value, name);
    return new Field(property?.value, `${this.#place}.${name}`);
  }

  string(): string {
    if (typeof this.#value === "string") return this.#value;
    throw corrupt(this.#place, "a string");
  }

  optionalString(): string | undefined {
    return this.#value === undefined || this.#value === null ? undefined : this.string();
  }

  number(): number {
    if (typeof this.#value === "number" && Number.isFinite(this.#value)) return this.#value;
    throw corrupt(this.#place, "a number");
  }

  boolean(): boolean {
    if (typeof this.#value === "boolean") return this.#value;
    throw corrupt(this.#place, "true or false");
  }

  digest(): Digest {
    const text = this.string();
    if (isDigest(text)) return text;
    throw corrupt(this.#place, "a digest");
  }

  optionalDigest(): Digest | undefined {
    return this.#value === undefined || this.#value === null ? undefined : this.digest();
  }

  oneOf<T extends string>(choices: readonly T[]): T {
    const text = this.string();
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return found;
    throw corrupt(this.#place, `one of ${choices.join(", ")}`);
  }

  list<T>(parse: (item: Field) => T): readonly T[] {
    if (!Array.isArray(this.#value)) throw corrupt(this.#place, "a list");
    return this.#value.map((item: unknown, at) => parse(new Field(item, `${this.#place}[${at}]`)));
  }

  optionalList<T>(parse: (item: Field) => T): readonly T[] | undefined {
    return this.#value === undefined ? undefined : this.list(parse);
  }

  optional<T>(parse: (item: Field) => T): T | undefined {
    return this.#value === undefined || this.#value === null ? undefined : parse(this);
  }

  /** Names to strings, as labels are. */
  stringMap(): Readonly<Record<string, string>> {
    const value = this.#value;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw corrupt(this.#place, "an object");
    }
    const pairs = Object.entries(value).map(([name, item]: [string, unknown]): [string, string] => [
      name,
      new Field(item, `${this.#place}.${name}`).string(),
    ]);
    return Object.fromEntries(pairs);
  }
}

function corrupt(place: string, expected: string, cause?: unknown): BangerError {
  return new BangerError("STORE_FAILED", `the store holds something that is not ${expected} in ${place}`, {
    op: "read store",
    cause,
    hint: "The database is damaged: restore it from a backup, or move the state folder away and pull again.",
  });
}
