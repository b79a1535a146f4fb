import { randomBytes } from "node:crypto";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Secrets that occur nowhere else, and every form in which one could leak. */
export class Secrets {
  readonly #forms = new Map<string, Buffer>();

  /** A secret that is this run's alone; `name` is what findings call it. */
  make(name: string): string {
    const secret = `${name}${randomBytes(12).toString("hex")}`;
    this.add(name, secret);
    return secret;
  }

  /** Watches for a text that is secret, and for what base64 and percent-encoding make of it. */
  add(name: string, secret: string): void {
    this.#forms.set(name, Buffer.from(secret));
    this.#forms.set(`${name}, percent-encoded`, Buffer.from(encodeURIComponent(secret)));
    this.#forms.set(
      `${name}, in base64`,
      Buffer.from(Buffer.from(secret).toString("base64").replaceAll("=", "")),
    );
  }

  /** Names of the secrets in some bytes. */
  in(bytes: Buffer | string): readonly string[] {
    const buffer = Buffer.from(bytes);
    return [...this.#forms].filter(([, form]) => buffer.includes(form)).map(([name]) => name);
  }

  /** `path: name` for each secret in a file below the folder, or in the path itself; `except` are files not looked at. */
  below(folder: string, except: readonly string[] = []): readonly string[] {
    const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) =>
      join(folder, name),
    );
    return paths.flatMap((path) => {
      const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() === true;
      const bytes = isFile && !except.includes(path) ? readFileSync(path) : Buffer.alloc(0);
      return [...this.in(bytes), ...this.in(path)].map((name) => `${path}: ${name}`);
    });
  }

  /** `command line: name` for each secret that any process of this machine shows to all others. */
  inProcessList(): readonly string[] {
    return readdirSync("/proc").flatMap((pid) => {
      if (!/^\d+$/.test(pid)) return [];
      let line = "";
      try {
        line = readFileSync(`/proc/${pid}/cmdline`, "latin1");
      } catch {
        // It ended while we looked.
      }
      return this.in(line).map((name) => `${line.replaceAll("\0", " ").slice(0, 60)}: ${name}`);
    });
  }
}
