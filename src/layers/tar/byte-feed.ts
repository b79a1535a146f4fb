/** What a parser asks for next. */
export type Want =
  /** So many bytes in one buffer, which is the parser's until it asks again. At least one. */
  | { readonly kind: "take"; readonly bytes: number; readonly atEnd: AtEnd }
  /** So many bytes handed to `to` in pieces, as they come, `last` with the last. At least one. */
  | {
      readonly kind: "pass";
      readonly bytes: number;
      readonly atEnd: AtEnd;
      readonly to: (piece: Buffer, last: boolean) => void;
    };

/** What the stream's end means where the bytes asked for have not come: an error, or the regular end. */
export type AtEnd = (missing: number) => Error | undefined;

/** A parser written as if it could read: it asks by yielding, and is answered with the bytes that it took. */
export type Parser<T = void> = Generator<Want, T, Buffer>;

const nothing = Buffer.alloc(0);

/**
 * Lets a parser that reads be fed by pushes of any size, synchronously: what it asks for is cut out of the
 * pieces pushed, without a copy where one piece holds it all. What comes after its end is ignored.
 */
export class ByteFeed {
  readonly #parser: Parser;
  #want: Want | undefined;
  /** Bytes of the present want that came already. */
  #had = 0;
  /** Those bytes, where a take spans pieces. */
  #gathered = nothing;
  #position = 0;

  constructor(makeParser: (feed: ByteFeed) => Parser) {
    this.#parser = makeParser(this);
    this.#ask(nothing);
  }

  /** Bytes that the parser has taken and passed on so far: where in the stream its next want begins. */
  get position(): number {
    return this.#position;
  }

  /** @throws what the parser throws; the feed is of no use after that. */
  push(piece: Buffer): void {
    for (let at = 0; at < piece.length && this.#want !== undefined;) {
      const { bytes } = this.#want;
      const part = piece.subarray(at, at + bytes - this.#had);
      at += part.length;
      this.#feed(this.#want, part);
    }
  }

  /** The stream is over. */
  end(): void {
    const want = this.#want;
    if (want === undefined) return;
    const error = want.atEnd(want.bytes - this.#had);
    this.#want = undefined;
    if (error !== undefined) throw error;
    this.#parser.return();
  }

  #feed(want: Want, part: Buffer): void {
    const had = this.#had;
    const whole = had + part.length === want.bytes;
    this.#had += part.length;
    if (want.kind === "pass") want.to(part, whole);
    else if (!whole || had > 0) this.#gather(want.bytes, had, part);
    if (!whole) return;
    this.#position += want.bytes;
    this.#ask(want.kind === "pass" ? nothing : had === 0 ? part : this.#gathered);
  }

  #gather(bytes: number, had: number, part: Buffer): void {
    if (had === 0) this.#gathered = Buffer.allocUnsafe(bytes);
    part.copy(this.#gathered, had);
  }

  #ask(answer: Buffer): void {
    const step = this.#parser.next(answer);
    this.#had = 0;
    this.#want = step.done === true ? undefined : step.value;
  }
}
