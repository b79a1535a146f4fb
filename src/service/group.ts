import { readFile } from "node:fs/promises";
import { BangerError, errnoOf } from "../base/error.ts";
import { run } from "../base/exec.ts";

/** What group(5) says of one line: name, password, number, members. */
const groupFile = "/etc/group";

/** How long a directory service may take to answer, in milliseconds, and what it may say, in bytes. */
const lookupMs = 10_000;
const lookupBytes = 1024 * 1024;

/** The largest group number; the next one stands for "leave it" (chown(2)). */
const maxGid = 2 ** 32 - 2;

/**
 * The number of a group, by its name or number: of `/etc/group`, or of wherever else this system keeps groups.
 *
 * @throws BangerError CONFIG_INVALID where there is none.
 */
export async function groupNumber(group: string, signal: AbortSignal, file = groupFile): Promise<number> {
  if (/^[0-9]+$/.test(group)) return Number(group) <= maxGid ? Number(group) : unknownGroup(group);
  return (
    groupIn(await fileText(file), group) ??
    groupIn(await askSystem(group, signal), group) ??
    unknownGroup(group)
  );
}

/** Pure. */
export function groupIn(text: string, group: string): number | undefined {
  for (const line of text.split("\n")) {
    const [name, , number = ""] = line.split(":");
    if (name === group && /^[0-9]+$/.test(number) && Number(number) <= maxGid) return Number(number);
  }
  return undefined;
}

async function fileText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return "";
    throw error;
  }
}

/** By way of NSS, which Node has no call for; a system without getent has no groups but those of the file. */
async function askSystem(group: string, signal: AbortSignal): Promise<string> {
  const options = { op: "look up group", signal, timeoutMs: lookupMs, maxOutputBytes: lookupBytes };
  try {
    const { stdout } = await run("getent", ["group", "--", group], options);
    return stdout.toString("utf8");
  } catch (error) {
    if (error instanceof BangerError && errnoOf(error.cause) === "ENOENT") return "";
    throw error;
  }
}

function unknownGroup(group: string): never {
  throw new BangerError("CONFIG_INVALID", `socket.group: there is no group ${group}`, {
    op: "look up group",
    hint: `Make it with \`groupadd ${group}\`, or name another under [socket] in the config file.`,
    facts: { group },
  });
}
