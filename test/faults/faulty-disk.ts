import { closeSync, openSync, readSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { constants } from "node:os";
import { runProgram } from "../system/program.ts";

/** What becomes of the call that is armed. */
export interface DiskFault {
  readonly on: "change" | "read";
  /** Number of the call, counted from when it is armed, from 1. */
  readonly call: number;
  readonly how: "ENOSPC" | "EIO" | "kill";
  /** Every call after it as well, as on a disk that is full or broken. */
  readonly lasting: boolean;
}

/** Where each counter of shim.c's `struct control` is. */
const place = {
  changes: 0,
  reads: 8,
  armedChange: 16,
  armedRead: 24,
  error: 32,
  lasting: 40,
  daemon: 48,
  struck: 56,
};
const controlBytes = 64;

/** Builds the shim. It belongs to whoever made the folder. */
export function buildShim(folder: string): string {
  const shim = join(folder, "shim.so");
  const source = join(import.meta.dirname, "shim.c");
  runProgram("gcc", ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", shim, source, "-ldl"]);
  return shim;
}

/** The disk below one folder, as a daemon with this environment sees it. Disposing of it leaves it honest. */
export class FaultyDisk implements Disposable {
  readonly env: Readonly<Record<string, string>>;
  readonly #fd: number;

  constructor(shim: string, folder: string, root: string) {
    const control = join(folder, "control");
    writeFileSync(control, Buffer.alloc(controlBytes));
    this.#fd = openSync(control, "r+");
    this.env = { LD_PRELOAD: shim, FAULT_CONTROL: control, FAULT_ROOT: root };
  }

  get changes(): number {
    return this.#get("changes");
  }

  get reads(): number {
    return this.#get("reads");
  }

  /** Calls that failed, or killed. */
  get struck(): number {
    return this.#get("struck");
  }

  /** @param daemon pid of whoever a `kill` is for; 0 is whoever makes the call */
  arm({ on, call, how, lasting }: DiskFault, daemon: number): void {
    this.disarm();
    this.#set("error", how === "kill" ? 0 : constants.errno[how]);
    this.#set("lasting", lasting ? 1 : 0);
    this.#set("daemon", daemon);
    if (on === "change") this.#set("armedChange", this.changes + call);
    else this.#set("armedRead", this.reads + call);
  }

  disarm(): void {
    this.#set("armedChange", 0);
    this.#set("armedRead", 0);
    this.#set("struck", 0);
  }

  [Symbol.dispose](): void {
    this.disarm();
    closeSync(this.#fd);
  }

  #get(name: keyof typeof place): number {
    const bytes = Buffer.alloc(8);
    readSync(this.#fd, bytes, 0, 8, place[name]);
    return Number(bytes.readBigUInt64LE());
  }

  #set(name: keyof typeof place, value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    writeSync(this.#fd, bytes, 0, 8, place[name]);
  }
}
