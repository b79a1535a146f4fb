import { printable, type ByteString } from "../../base/bytes.ts";

/** One field of one path that is not what the tree says. All four are for a person. */
export interface Difference {
  /** Absolute, inside the image, made printable. */
  readonly path: string;
  /** As `mode`, `uid`, `xattr user.a` or `content`. */
  readonly field: string;
  readonly expected: string;
  readonly found: string;
}

/** Collects differences up to a number; one more only sets `truncated`. */
export class Differences {
  readonly list: Difference[] = [];
  readonly #max: number;
  #truncated = false;

  constructor(max: number) {
    this.#max = max;
  }

  /** Whether there were more than are listed: going on is of no use then. */
  get truncated(): boolean {
    return this.#truncated;
  }

  add(path: ByteString, field: string, expected: string, found: string): void {
    if (this.list.length >= this.#max) this.#truncated = true;
    else this.list.push({ path: printable(path), field, expected, found });
  }

  /** Adds where the two differ; `format` makes them readable. */
  compare<T>(
    path: ByteString,
    field: string,
    expected: T,
    found: T,
    format: (value: T) => string = String,
  ): void {
    if (expected !== found) this.add(path, field, format(expected), format(found));
  }
}
