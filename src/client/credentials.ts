import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { addAbortSignal } from "node:stream";
import { text } from "node:stream/consumers";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  PullOptionsSchema,
  RegistryCredentialsSchema,
  type PullOptions,
} from "../../gen/banger/image/v1/pull_pb.ts";
import { BangerError, asBangerError, messageOf } from "../base/error.ts";
import { isLocalReference } from "./reference.ts";
import type { Terminal } from "./terminal.ts";

const op = "read credentials";

export interface UserPassword {
  readonly username: string;
  readonly password: string;
}

/** What `--creds-file -` means. */
const standardInput = "-";

/**
 * Credentials for one pull: the file's, or else those of BANGER_CREDS. There is no flag for the password itself, for
 * every user of the machine can read a command line.
 *
 * @throws BangerError OPTION_INVALID, which quotes nothing of them, and the signal's reason
 */
export async function credentialsFor(
  reference: string,
  flags: { readonly credsFile?: string },
  { env, folder }: Pick<Terminal, "env" | "folder">,
  signal: AbortSignal,
): Promise<UserPassword | undefined> {
  const { credsFile } = flags;
  if (credsFile !== undefined) {
    return parse(await readCredentials(credsFile, folder, signal), "--creds-file");
  }
  // The environment's have nothing to do with what names no registry.
  const named = env["BANGER_CREDS"] ?? "";
  return named === "" || isLocalReference(reference) ? undefined : parse(named, "BANGER_CREDS");
}

async function readCredentials(file: string, folder: string, signal: AbortSignal): Promise<string> {
  try {
    return file === standardInput
      ? await text(addAbortSignal(signal, process.stdin))
      : await readFile(resolve(folder, file), { encoding: "utf8", signal });
  } catch (error) {
    if (signal.aborted) throw asBangerError(signal.reason, op);
    throw new BangerError("OPTION_INVALID", `the credentials can't be read (${messageOf(error)})`, {
      op,
      hint: "Give --creds-file a file with one line, USER:PASSWORD, or - for standard input.",
    });
  }
}

function parse(given: string, from: string): UserPassword {
  const line = given.replace(/\r?\n$/, "");
  const colon = line.indexOf(":");
  if (colon > 0 && !/[\r\n]/.test(line)) {
    return { username: line.slice(0, colon), password: line.slice(colon + 1) };
  }
  throw new BangerError("OPTION_INVALID", `${from} does not hold one line USER:PASSWORD`, {
    op,
    hint: "Write the user's name, a colon and the password, on one line.",
  });
}

/** The options of a pull, with the credentials where there are any. */
export function withCredentials(
  options: MessageInitShape<typeof PullOptionsSchema>,
  credentials: UserPassword | undefined,
): PullOptions {
  const message = create(PullOptionsSchema, options);
  if (credentials !== undefined) message.credentials = create(RegistryCredentialsSchema, credentials);
  return message;
}
