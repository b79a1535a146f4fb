/** One way of authentication that a server offers: RFC 9110, 11.6.1. */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** tchar of RFC 9110, 5.6.2. */
const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
/**
 * What Negotiate and others have in place of parameters. A parameter without a value, as `error=`, looks the same, and
 * is told by the parameter that follows it.
 */
const token68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:$|,(?![ \t,]*[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]*=)))/y;
const whiteSpace = /[ \t]*/y;
const spacesAndCommas = /[ \t,]*/y;
const quotedString = /"((?:[^"\\]|\\.)*)"/sy;
/** Seen in the wild: unquoted values with characters that no token has, as `realm=https://host/token`. */
const looseValue = /[^\s",]*/y;

/**
 * Parses every challenge of all WWW-Authenticate headers of a response: several in one header, quoted or not, with
 * escapes, empty parameters, and white space where RFC 9110 tolerates it (BWS). What makes no sense ends the
 * header it is in; what came before it counts.
 */
export function parseChallenges(headers: readonly string[]): readonly Challenge[] {
  return headers.flatMap((header) => parseHeader(header));
}

function parseHeader(header: string): readonly Challenge[] {
  const cursor = new Cursor(header);
  const challenges: Challenge[] = [];
  for (;;) {
    cursor.take(spacesAndCommas);
    const scheme = cursor.take(token);
    if (scheme === "") return challenges;
    cursor.take(whiteSpace);
    const parameters = cursor.take(token68) === "" ? parseParameters(cursor) : new Map<string, string>();
    challenges.push({ scheme: scheme.toLowerCase(), parameters });
  }
}

/** Parameters until something that is none: the next challenge's scheme, or the end. */
function parseParameters(cursor: Cursor): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (;;) {
    const start = cursor.position;
    cursor.take(spacesAndCommas);
    const name = cursor.take(token).toLowerCase();
    cursor.take(whiteSpace);
    if (name === "" || !cursor.skip("=")) {
      cursor.position = start;
      return parameters;
    }
    cursor.take(whiteSpace);
    const value = parseValue(cursor);
    // The first of two counts: a proxy can append to a header, but hardly prepend.
    if (!parameters.has(name)) parameters.set(name, value);
  }
}

function parseValue(cursor: Cursor): string {
  const quoted = cursor.match(quotedString);
  return quoted === undefined ? cursor.take(looseValue) : (quoted[1] ?? "").replaceAll(/\\(.)/gs, "$1");
}

class Cursor {
  readonly #text: string;
  position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.position;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.position = pattern.lastIndex;
    return match;
  }

  take(pattern: RegExp): string {
    return this.match(pattern)?.[0] ?? "";
  }

  skip(char: string): boolean {
    if (this.#text[this.position] !== char) return false;
    this.position++;
    return true;
  }
}
