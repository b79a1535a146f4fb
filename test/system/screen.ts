/** A terminal as a program's output finds it: enough of ECMA-48 and DEC's private modes for what banger writes. */
export interface Cell {
  readonly text: string;
  /** SGR parameters that are on, as `1;32`. */
  readonly style: string;
}

const blank: Cell = { text: " ", style: "" };
// oxlint-disable-next-line no-control-regex -- a control sequence begins with one
const csi = /^\u001b\[(\?)?([0-9;]*)([A-Za-z])/;
const wide = /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/;
/** What takes back which SGR parameter. */
const takesBack: Readonly<Record<number, (on: number) => boolean>> = {
  0: () => true,
  22: (on) => on === 1 || on === 2,
  39: (on) => on >= 30 && on <= 37,
};

export class Screen {
  columns: number;
  rows: number;
  /** Lines that left at the top, and those on the screen below them. `soft` ones go on in the next. */
  #lines: { cells: Cell[]; soft: boolean }[] = [{ cells: [], soft: false }];
  #row = 0;
  #column = 0;
  #style: readonly number[] = [];
  #wraps = true;
  #updating = false;
  /** Characters that found no room in their line: each is a line that wrapped, or would have. */
  overflows = 0;
  cursorShown = true;
  /** Called whenever what a person sees may have changed; not within a synchronized update. */
  onFrame: () => void = () => {};

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
  }

  /** All lines since the start, without the spaces at their ends. */
  get lines(): readonly string[] {
    return this.#lines.map(({ cells }) =>
      cells
        .map(({ text }) => text)
        .join("")
        .trimEnd(),
    );
  }

  get cells(): readonly (readonly Cell[])[] {
    return this.#lines.map(({ cells }) => cells);
  }

  /** What can be seen now. */
  get visible(): readonly string[] {
    return this.lines.slice(-this.rows);
  }

  write(output: string): void {
    for (let rest = output; rest !== "";) {
      const sequence = csi.exec(rest);
      if (sequence !== null) {
        this.#control(sequence[1] === "?", sequence[2] ?? "", sequence[3] ?? "");
        rest = rest.slice(sequence[0].length);
        continue;
      }
      const [character = ""] = rest;
      this.#character(character);
      rest = rest.slice(character.length);
    }
    if (!this.#updating) this.onFrame();
  }

  /** Made wider or narrower as most do: long lines are broken anew, and the cursor stays in its line. */
  resize(columns: number, rows = this.rows): void {
    const whole: { cells: Cell[]; at: number | undefined }[] = [];
    let continues = false;
    for (const [row, line] of this.#lines.entries()) {
      if (!continues) whole.push({ cells: [], at: undefined });
      const last = whole.at(-1);
      if (last === undefined) continue;
      if (row === this.#row) last.at = last.cells.length + this.#column;
      last.cells.push(...line.cells);
      continues = line.soft;
    }
    this.columns = columns;
    this.rows = rows;
    this.#lines = [];
    for (const { cells, at } of whole) {
      const first = this.#lines.length;
      const parts = Math.max(1, Math.ceil(cells.length / columns));
      for (let part = 0; part < parts; part++) {
        const piece = cells.slice(part * columns, (part + 1) * columns);
        this.#lines.push({ cells: piece, soft: part < parts - 1 });
      }
      if (at === undefined) continue;
      this.#row = first + Math.min(parts - 1, Math.floor(at / columns));
      this.#column = at % columns;
    }
    this.onFrame();
  }

  #character(character: string): void {
    if (character === "\r") this.#column = 0;
    else if (character === "\n") this.#down();
    else if (character < " ") throw new Error(`no such control character: ${JSON.stringify(character)}`);
    else this.#put(character);
  }

  #put(character: string): void {
    const width = wide.test(character) ? 2 : 1;
    if (this.#column + width > this.columns) {
      this.overflows++;
      if (!this.#wraps) this.#column = this.columns - width;
      else {
        this.#line().soft = true;
        this.#down();
        this.#column = 0;
      }
    }
    const { cells } = this.#line();
    while (cells.length < this.#column) cells.push(blank);
    cells[this.#column] = { text: character, style: this.#style.join(";") };
    if (width === 2) cells[this.#column + 1] = { text: "", style: "" };
    this.#column += width;
  }

  #line(): { cells: Cell[]; soft: boolean } {
    const line = this.#lines[this.#row];
    if (line === undefined) throw new Error("the cursor is outside of the screen");
    return line;
  }

  #down(): void {
    this.#row++;
    while (this.#lines.length <= this.#row) this.#lines.push({ cells: [], soft: false });
  }

  #control(isPrivate: boolean, parameters: string, final: string): void {
    const first = parameters === "" ? undefined : Number(parameters.split(";")[0]);
    if (isPrivate) return this.#mode(first, final === "h");
    switch (final) {
      case "A": {
        const top = Math.max(0, this.#lines.length - this.rows);
        this.#row = Math.max(top, this.#row - (first ?? 1));
        return;
      }
      case "J":
        this.#eraseBelow();
        return;
      case "K":
        this.#eraseRight();
        return;
      case "m":
        for (const parameter of (parameters === "" ? "0" : parameters).split(";"))
          this.#sgr(Number(parameter));
        return;
      default:
        throw new Error(`no such control sequence: ${parameters}${final}`);
    }
  }

  /** Behind the last character of a full row the cursor still stands on it. */
  #eraseRight(): void {
    const { cells } = this.#line();
    cells.length = Math.min(cells.length, this.#column, this.columns - 1);
    this.#line().soft = false;
  }

  /** From the top left corner on it clears the screen, of which tmux keeps what was there above what comes. */
  #eraseBelow(): void {
    const top = Math.max(0, this.#lines.length - this.rows);
    if (this.#row === top && this.#column === 0 && this.#lines.some(({ cells }) => cells.length > 0)) {
      this.#row = this.#lines.length;
      this.#lines.push({ cells: [], soft: false });
      return;
    }
    this.#lines.length = this.#row + 1;
    this.#eraseRight();
  }

  #mode(mode: number | undefined, on: boolean): void {
    if (mode === 25) this.cursorShown = on;
    else if (mode === 7) this.#wraps = on;
    else if (mode === 2026) {
      this.#updating = on;
      if (!on) this.onFrame();
    } else throw new Error(`no such mode: ${mode}`);
  }

  #sgr(parameter: number): void {
    const off = takesBack[parameter];
    const kept = off === undefined ? this.#style : this.#style.filter((on) => !off(on));
    this.#style = off === undefined ? [...kept, parameter] : kept;
  }
}
