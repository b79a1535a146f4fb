import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

/** Until that is disposed of, no open file of this thread can be asked what it is, once so many have been. */
export async function failingStat(before = 0): Promise<Disposable> {
  let left = before;
  return replaceMethod("stat", (whole, file, args) => {
    if (left-- > 0) return Reflect.apply(whole, file, args);
    return Promise.reject(Object.assign(new Error("EIO: i/o error, fstat"), { code: "EIO" }));
  });
}

/** Until that is disposed of, no read of this thread's handles gives more than so many bytes at once, as POSIX allows. */
export async function shortReads(most: number): Promise<Disposable> {
  return replaceMethod("read", (whole, file, [buffer, offset, length, position]) => {
    assert.ok(typeof length === "number");
    return Reflect.apply(whole, file, [buffer, offset, Math.min(length, most), position]);
  });
}

/** How many descriptors of this process lead to a file. */
export function descriptorsOf(path: string): number {
  const folder = "/proc/self/fd";
  return readdirSync(folder).filter((fd) => {
    try {
      return readlinkSync(join(folder, fd)) === path;
    } catch {
      // That of this look at the folder.
      return false;
    }
  }).length;
}

/** All handles have their methods from one prototype, which Node does not export. */
async function replaceMethod(
  name: "read" | "stat",
  act: (whole: Function, file: unknown, args: readonly unknown[]) => unknown,
): Promise<Disposable> {
  await using handle = await open(import.meta.filename);
  const prototype: unknown = Object.getPrototypeOf(handle);
  assert.ok(typeof prototype === "object" && prototype !== null);
  const whole: unknown = Reflect.get(prototype, name);
  assert.ok(typeof whole === "function");
  const put = (method: unknown): void => assert.ok(Reflect.set(prototype, name, method));
  put(function replaced(this: unknown, ...args: readonly unknown[]): unknown {
    return act(whole, this, args);
  });
  return { [Symbol.dispose]: () => put(whole) };
}
