import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { BangerError, errnoOf } from "../base/error.ts";
import { configOp, defaultConfig, parseConfig, type Config } from "./parse.ts";

/** Bytes of a config file. One with every setting and a hundred catalogs has a tenth of it. */
const maxConfigBytes = 256 * 1024;

export interface ConfigSource {
  /** Absolute. */
  readonly path: string;
  /** Somebody asked for that file, so that it must be there. */
  readonly named: boolean;
}

/** What was read, and whether there was a file. */
export interface ReadConfig extends Config {
  readonly found: boolean;
}

/**
 * Reads a config file; the defaults where there is none and nobody asked for one.
 *
 * @throws BangerError CONFIG_INVALID, naming the file.
 */
export function readConfig({ path, named }: ConfigSource): ReadConfig {
  const bytes = readBounded(path);
  if (bytes === undefined) {
    if (!named) return { ...defaultConfig(), found: false };
    throw refuse(`there is no config file ${path}`, undefined, "Check --config and BANGER_CONFIG.");
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw refuse(`the config file ${path} is not UTF-8`, error, "Save it as UTF-8, which TOML asks for.");
  }
  return { ...parseConfig(text, path), found: true };
}

/** Undefined where there is no such file. */
function readBounded(path: string): Buffer | undefined {
  try {
    // Without waiting: a pipe in the file's place would hold up the daemon for ever.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!fstatSync(file).isFile()) throw refuse(`the config file ${path} is not a file`);
      const bytes = Buffer.alloc(maxConfigBytes + 1);
      let length = 0;
      for (let read = -1; read !== 0 && length < bytes.length; length += read) {
        read = readSync(file, bytes, length, bytes.length - length, length);
      }
      if (length <= maxConfigBytes) return bytes.subarray(0, length);
      throw refuse(`the config file ${path} is larger than ${maxConfigBytes} bytes`);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const code = errnoOf(error);
    if (error instanceof BangerError) throw error;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw refuse(
      `the config file ${path} can't be read (${code ?? "unknown"})`,
      error,
      "Check its owner and mode.",
    );
  }
}

function refuse(message: string, cause?: unknown, hint?: string): BangerError {
  return new BangerError("CONFIG_INVALID", message, {
    op: configOp,
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}
