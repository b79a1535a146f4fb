import { closeSync, constants, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { BangerError, errnoOf, hasReason } from "../base/error.ts";
import { configError } from "./mistakes.ts";
import { defaultConfig, parseWhatIsRight, type Config, type PartialConfig } from "./parse.ts";

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
 * @throws BangerError CONFIG_INVALID, naming the file and all that is wrong in it.
 */
export function readConfig(source: ConfigSource): ReadConfig {
  const { failure, ...config } = readWhole(source);
  if (failure !== undefined) throw failure;
  return config;
}

/** The same, for one who goes on with what a wrong file says rightly, and by default for the rest. */
export function readWhatIsRight(source: ConfigSource): ReadConfig {
  try {
    const { failure: _told, ...config } = readWhole(source);
    return config;
  } catch (error) {
    if (!hasReason(error, "CONFIG_INVALID")) throw error;
    return { ...defaultConfig(), found: existsSync(source.path) };
  }
}

function readWhole({ path, named }: ConfigSource): ReadConfig & Pick<PartialConfig, "failure"> {
  const bytes = readBounded(path);
  if (bytes === undefined) {
    if (!named) return { ...defaultConfig(), found: false, failure: undefined };
    throw configError(`there is no config file ${path}`, { hint: "Check --config and BANGER_CONFIG." });
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const hint = "Save it as UTF-8, which TOML asks for.";
    throw configError(`the config file ${path} is not UTF-8`, { cause, hint });
  }
  return { ...parseWhatIsRight(text, path), found: true };
}

/** Undefined where there is no such file. */
function readBounded(path: string): Buffer | undefined {
  try {
    // Without waiting: a pipe in the file's place would hold up the daemon for ever.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!fstatSync(file).isFile())
        throw configError(`the config file ${path} is not a file`, {
          hint: "Move it away, or name a file with --config.",
        });
      const bytes = Buffer.alloc(maxConfigBytes + 1);
      let length = 0;
      for (let read = -1; read !== 0 && length < bytes.length; length += read) {
        read = readSync(file, bytes, length, bytes.length - length, length);
      }
      if (length <= maxConfigBytes) return bytes.subarray(0, length);
      throw configError(`the config file ${path} is larger than ${maxConfigBytes} bytes`);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const code = errnoOf(error);
    if (error instanceof BangerError) throw error;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw configError(`the config file ${path} can't be read (${code ?? "unknown"})`, {
      cause: error,
      hint: "Check its owner and mode.",
    });
  }
}
