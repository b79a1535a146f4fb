import { BangerError } from "../base/error.ts";

/** The first descriptor that systemd passes on: SD_LISTEN_FDS_START, sd_listen_fds(3). */
const firstFd = 3;

/**
 * The socket that systemd has made and hands over with the process, by the protocol of sd_listen_fds(3); undefined
 * where there is none, or where it was meant for another process.
 *
 * @throws BangerError SOCKET_INVALID where there are several: this daemon serves one.
 */
export function inheritedSocket(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): number | undefined {
  if (env["LISTEN_PID"] !== String(pid)) return undefined;
  const count = Number(env["LISTEN_FDS"]);
  if (count === 1) return firstFd;
  throw new BangerError("SOCKET_INVALID", `systemd passed on ${env["LISTEN_FDS"] ?? "no"} sockets, not one`, {
    op: "listen",
    hint: "Give bangerd.socket one ListenStream= and no other kind of socket.",
  });
}

/** Variables that are no business of the programs that the daemon runs. */
export const activationVariables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] as const;
