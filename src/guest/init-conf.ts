import { constants } from "node:os";
import { BangerError } from "../base/error.ts";
import type { ImageConfig } from "../oci/manifest.ts";

/** What of an image's config a process needs. */
export type ProcessConfig = Pick<
  ImageConfig,
  "entrypoint" | "cmd" | "env" | "workingDir" | "user" | "stopSignal"
>;

/** As guest/init-conf.h has them: the guest refuses a file beyond these. */
const maxBytes = 2 * 1024 * 1024;
const maxStrings = 4096;

/**
 * `/etc/banger/init.conf`: what banger-init is to run, in the format that guest/README.md describes. Pure.
 *
 * @throws BangerError MANIFEST_INVALID where no process could be started with what the config says.
 */
export function initConf(config: ProcessConfig): Buffer {
  const { entrypoint, cmd, env, workingDir, user, stopSignal } = config;
  const args = [...entrypoint, ...cmd];
  const records = [
    "banger-init 1",
    ...args.map((arg) => `arg=${arg}`),
    ...env.map((variable) => `env=${variable}`),
    // A container runtime starts at the root, and so a relative one is below it.
    ...(workingDir === "" ? [] : [`dir=${workingDir.startsWith("/") ? "" : "/"}${workingDir}`]),
    ...(user === "" ? [] : [`user=${user}`]),
    // With an unknown signal the guest would refuse the whole file; without one it takes SIGTERM.
    ...(isSignal(stopSignal) ? [`stop=${stopSignal}`] : []),
    "end",
  ];
  if (records.some((record) => record.includes("\0"))) throw unusable("has a NUL in it");
  if (args.length > maxStrings || env.length > maxStrings) {
    throw unusable(`has more than ${maxStrings} arguments or variables`);
  }
  const bytes = Buffer.from(records.map((record) => `${record}\0`).join(""));
  if (bytes.length > maxBytes) throw unusable(`has more than ${maxBytes} bytes`);
  return bytes;
}

/** A name with or without SIG, or a number from 1: what guest/init-conf.c reads as a signal. */
function isSignal(text: string): boolean {
  if (/^\d{1,2}$/.test(text)) return Number(text) >= 1 && Number(text) <= 64;
  const name = text.startsWith("SIG") ? text : `SIG${text}`;
  if (Object.hasOwn(constants.signals, name) && !["SIGIOT", "SIGPOLL", "SIGUNUSED"].includes(name))
    return true;
  const offset = /^SIG(?:RTMIN(?:\+(\d{1,2}))?|RTMAX(?:-(\d{1,2}))?)$/.exec(name);
  return offset !== null && Number(offset[1] ?? offset[2] ?? 0) <= 30;
}

function unusable(problem: string): BangerError {
  return new BangerError("MANIFEST_INVALID", `what the image's config says of its process ${problem}`, {
    op: "configure init",
    hint: "Correct the image's config, or pull with --no-agents.",
  });
}
