import { parse } from "smol-toml";

/** Where something stands in a text; both count from 1, columns in UTF-16 units. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A way to a value: keys, and positions in arrays. */
export type TomlPath = readonly (string | number)[];

/**
 * Keys of a path that are told apart: of settings none has more than three, and each more would take as much memory as
 * all before it. What is deeper has the place of what it is in.
 */
const mostKeys = 32;

/**
 * Finds where the keys of a TOML document stand, which its parser does not say. The text must be one that the parser
 * takes: nothing is checked here.
 */
export class TomlPlaces {
  readonly #text: string;
  readonly #found = new Map<string, number>();
  /** Members of the arrays of tables, by their path. */
  readonly #tables = new Map<string, number>();
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    let table: TomlPath = [];
    for (this.#skipBlank(); this.#at < text.length; this.#skipBlank()) {
      table = text[this.#at] === "[" ? this.#header() : (this.#pair(table), table);
    }
  }

  /** Of the key that the path ends with, or the nearest one above that the text has. */
  of(path: TomlPath): Place {
    for (let length = path.length; length > 0; length--) {
      const at = this.#found.get(JSON.stringify(path.slice(0, length)));
      if (at !== undefined) return placeAt(this.#text, at);
    }
    return { line: 1, column: 1 };
  }

  /** `[a.b]` or `[[a.b]]`; returns what the pairs after it belong to. */
  #header(): TomlPath {
    const many = this.#text.startsWith("[[", this.#at);
    this.#at += many ? 2 : 1;
    this.#skipBlank();
    const start = this.#at;
    let path: TomlPath = [];
    for (const [position, key] of this.#keys().entries()) {
      if (position > 0) path = this.#lastTable(path);
      path = [...path, key];
      this.#note(path, start);
    }
    this.#at += many ? 2 : 1;
    if (!many) return this.#lastTable(path);
    const name = JSON.stringify(path);
    this.#tables.set(name, (this.#tables.get(name) ?? -1) + 1);
    const element = this.#lastTable(path);
    this.#note(element, start);
    return element;
  }

  /** TOML 1.0, "Array of Tables": a reference to an array of tables points to its last element. */
  #lastTable(path: TomlPath): TomlPath {
    const last = this.#tables.get(JSON.stringify(path));
    return last === undefined ? path : [...path, last];
  }

  #pair(table: TomlPath): void {
    const start = this.#at;
    const path = [...table];
    for (const key of this.#keys()) {
      if (path.length === mostKeys) break;
      path.push(key);
      this.#note(path, start);
    }
    this.#at++;
    this.#skipBlank();
    this.#value(path);
  }

  /** The keys of a dotted key; stops at what follows it. */
  #keys(): readonly string[] {
    const keys: string[] = [];
    for (;;) {
      this.#skipBlank();
      const key = this.#key();
      if (keys.length < mostKeys) keys.push(key);
      this.#skipBlank();
      if (this.#text[this.#at] !== ".") return keys;
      this.#at++;
    }
  }

  #key(): string {
    const start = this.#at;
    const quote = this.#text[start];
    if (quote !== '"' && quote !== "'") {
      this.#skip(/[A-Za-z0-9_-]*/y);
      return this.#text.slice(start, this.#at);
    }
    this.#string();
    return Object.keys(parse(`${this.#text.slice(start, this.#at)}=0`))[0] ?? "";
  }

  #value(path: TomlPath): void {
    const first = this.#text[this.#at];
    if (first === '"' || first === "'") return this.#string();
    const isDeep = path.length >= mostKeys;
    if (first === "[") return this.#members("]", (index) => this.#element(isDeep ? path : [...path, index]));
    if (first === "{") return this.#members("}", () => this.#pair(path));
    this.#skip(/[^,\]}#\r\n]*/y);
  }

  #element(path: TomlPath): void {
    this.#note(path, this.#at);
    this.#value(path);
  }

  #members(end: string, member: (index: number) => void): void {
    this.#at++;
    for (let index = 0; ; index++) {
      this.#skipBlank();
      if (this.#at >= this.#text.length || this.#text[this.#at] === end) break;
      member(index);
      this.#skipBlank();
      if (this.#text[this.#at] === ",") this.#at++;
    }
    this.#at++;
  }

  /** Several quotes in a row may end a multi-line string: up to two of them belong to it. */
  #string(): void {
    const text = this.#text;
    const quote = text.startsWith('"', this.#at) ? '"' : "'";
    if (text.startsWith(quote.repeat(3), this.#at)) {
      this.#skip(quote === '"' ? /"""(?:[^\\]|\\[^])*?"{3,5}(?!")/y : /'''[^]*?'{3,5}(?!')/y);
    } else {
      this.#skip(quote === '"' ? /"(?:[^"\\]|\\[^])*"/y : /'[^']*'/y);
    }
  }

  #skipBlank(): void {
    this.#skip(/(?:[ \t\r\n]|#[^\n]*)*/y);
  }

  #skip(pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    pattern.test(this.#text);
    // A pattern that found nothing is at 0 again; on a document that parses none does, and none may go back.
    this.#at = Math.max(this.#at, pattern.lastIndex);
  }

  #note(path: TomlPath, at: number): void {
    const name = JSON.stringify(path);
    if (!this.#found.has(name)) this.#found.set(name, at);
  }
}

function placeAt(text: string, at: number): Place {
  const before = text.slice(0, at).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
