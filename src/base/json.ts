import { BangerError, type Reason } from "./error.ts";

/** Where a document comes from, and what to say where it is wrong. */
export interface JsonContext {
  /** Reason of the errors that a wrong document gets. */
  readonly reason: Reason;
  readonly op: string;
  /** As `manifest sha256:0123…`, the start of every message. */
  readonly subject: string;
}

/** Deepest nesting that is parsed: image documents need 6, and what walks them recursively needs some bound. */
const maxDepth = 64;

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Parses one JSON document strictly: UTF-8 without a mark, one value and nothing after it, no key twice in an
 * object (parsers disagree on which wins, so what one program checked another would not use), at most 64 levels.
 * How large the bytes may be is the caller's to bound.
 *
 * @throws BangerError with the context's reason.
 */
export function parseJson(bytes: Uint8Array, context: JsonContext): JsonNode {
  const fail = (problem: string, cause?: unknown): never => {
    throw new BangerError(context.reason, `${context.subject} ${problem}`, { op: context.op, cause });
  };
  let text: string;
  try {
    text = strictUtf8.decode(bytes);
  } catch (error) {
    return fail("is not UTF-8", error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return fail("is not JSON", error);
  }
  const problem = findAmbiguity(text);
  if (problem !== undefined) return fail(problem);
  return new JsonNode(value, "", context);
}

/** Looks for a duplicate key or too deep a nesting in text that is known to be valid JSON. */
function findAmbiguity(text: string): string | undefined {
  const scopes: Set<string>[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "{" || char === "[") {
      if (scopes.length === maxDepth) return `is nested deeper than ${maxDepth} levels`;
      scopes.push(new Set());
    } else if (char === "}" || char === "]") {
      scopes.pop();
    } else if (char === '"') {
      const end = stringEnd(text, at);
      if (isKey(text, end)) {
        const key = String(JSON.parse(text.slice(at, end)));
        const keys = scopes.at(-1);
        if (keys?.has(key) === true) return `has the key ${JSON.stringify(key.slice(0, 80))} twice`;
        keys?.add(key);
      }
      at = end - 1;
    }
  }
  return undefined;
}

/** The position after the closing quote of the string that opens at `start`. */
function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** In valid JSON a colon follows a string exactly where that string is a key. */
function isKey(text: string, end: number): boolean {
  let at = end;
  while (text[at] === " " || text[at] === "\n" || text[at] === "\r" || text[at] === "\t") at++;
  return text[at] === ":";
}

/**
 * A value of a document, and the way to it: accessors give it a type or throw an error that says where it is
 * wrong. `null` counts as absent everywhere, as in Go, in which most of these documents are written.
 */
export class JsonNode {
  readonly #value: unknown;
  readonly #path: string;
  readonly #context: JsonContext;

  constructor(value: unknown, path: string, context: JsonContext) {
    this.#value = value;
    this.#path = path;
    this.#context = context;
  }

  get present(): boolean {
    return this.#value !== undefined && this.#value !== null;
  }

  /** A member of an object; absent where the object or the member is. */
  at(key: string): JsonNode {
    const object = this.#object();
    const value = object !== undefined && Object.hasOwn(object, key) ? object[key] : undefined;
    return new JsonNode(value, this.#path === "" ? key : `${this.#path}.${key}`, this.#context);
  }

  /** Names of an object's members; none where it is absent. */
  keys(): readonly string[] {
    return Object.keys(this.#object() ?? {}).map((key) => key.toWellFormed());
  }

  text(): string {
    return this.optionalText() ?? this.fail("is missing");
  }

  /** Lone surrogates become U+FFFD, as in Go: gRPC could not carry them. */
  optionalText(): string | undefined {
    if (!this.present) return undefined;
    return typeof this.#value === "string" ? this.#value.toWellFormed() : this.fail("is not a string");
  }

  /** A whole number from 0 to 2^53 - 1. */
  natural(): number {
    return this.optionalNatural() ?? this.fail("is missing");
  }

  optionalNatural(): number | undefined {
    if (!this.present) return undefined;
    const value = this.#value;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    return this.fail("is not a whole number from 0 to 2^53 - 1");
  }

  optionalFlag(): boolean | undefined {
    if (!this.present) return undefined;
    return typeof this.#value === "boolean" ? this.#value : this.fail("is not true or false");
  }

  /** The members of an array; none where it is absent. */
  list(): readonly JsonNode[] {
    if (!this.present) return [];
    if (!Array.isArray(this.#value)) return this.fail("is not an array");
    const values: readonly unknown[] = this.#value;
    return values.map((value, index) => new JsonNode(value, `${this.#path}[${index}]`, this.#context));
  }

  texts(): readonly string[] {
    return this.list().map((node) => node.text());
  }

  /** An object of strings; empty where it is absent. A null member is an empty string. */
  textMap(): Readonly<Record<string, string>> {
    const object = this.#object() ?? {};
    return Object.fromEntries(
      Object.keys(object).map((key) => [key.toWellFormed(), this.at(key).optionalText() ?? ""]),
    );
  }

  isList(): boolean {
    return Array.isArray(this.#value);
  }

  /** @throws BangerError that says what is wrong with this value. */
  fail(problem: string): never {
    const { reason, op, subject } = this.#context;
    const where = this.#path === "" ? "" : `: ${printablePath(this.#path)}`;
    throw new BangerError(reason, `${subject}${where} ${problem}`, { op });
  }

  #object(): Readonly<Record<string, unknown>> | undefined {
    if (!this.present) return undefined;
    return isRecord(this.#value) ? this.#value : this.fail("is not an object");
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Keys of a text map come from the document: no escape of theirs may reach a terminal. */
function printablePath(path: string): string {
  return JSON.stringify(path.slice(0, 200)).slice(1, -1);
}
