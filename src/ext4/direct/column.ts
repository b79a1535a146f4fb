/** Numbers below 2^32, four bytes each, that grow at the end: a plan has millions of them. */
export class Column {
  #items: Uint32Array<ArrayBuffer>;
  #length = 0;

  constructor(capacity = 1024) {
    this.#items = new Uint32Array(Math.max(1, capacity));
  }

  get length(): number {
    return this.#length;
  }

  /** Returns the index of the new item. */
  push(value: number): number {
    if (this.#length === this.#items.length) {
      const grown = new Uint32Array(this.#items.length * 2);
      grown.set(this.#items);
      this.#items = grown;
    }
    this.#items[this.#length] = value;
    return this.#length++;
  }

  /** @throws RangeError where there is no such item. */
  at(index: number): number {
    if (index >= this.#length) throw new RangeError(`there is no item ${index} of ${this.#length}`);
    return itemAt(this.#items, index);
  }

  set(index: number, value: number): void {
    if (index >= this.#length) throw new RangeError(`there is no item ${index} of ${this.#length}`);
    this.#items[index] = value;
  }
}

/** An item of an array that is known to have it. @throws RangeError where it has not. */
export function itemAt(items: ArrayLike<number>, index: number): number {
  const item = items[index];
  if (item === undefined) throw new RangeError(`there is no item ${index} of ${items.length}`);
  return item;
}
