import type { BangerError, Reason } from "../base/error.ts";

/** What the process says to its caller. Documented in docs/operations.md; never renumbered. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  unreachable: 4,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const byReason: Readonly<Partial<Record<Reason, ExitCode>>> = {
  REFERENCE_INVALID: exitCodes.usage,
  NAME_INVALID: exitCodes.usage,
  PLATFORM_INVALID: exitCodes.usage,
  SIZE_INVALID: exitCodes.usage,
  OPTION_INVALID: exitCodes.usage,
  SOCKET_INVALID: exitCodes.usage,
  MANIFEST_UNKNOWN: exitCodes.notFound,
  BLOB_UNKNOWN: exitCodes.notFound,
  PLATFORM_UNKNOWN: exitCodes.notFound,
  IMAGE_UNKNOWN: exitCodes.notFound,
  PULL_UNKNOWN: exitCodes.notFound,
  KERNEL_UNKNOWN: exitCodes.notFound,
  FILE_UNKNOWN: exitCodes.notFound,
  LEASE_UNKNOWN: exitCodes.notFound,
  SOURCE_UNKNOWN: exitCodes.notFound,
  DAEMON_UNREACHABLE: exitCodes.unreachable,
};

/** The exit code of an error. An interrupt is told by the signal, not by an error: see `interrupt.ts`. */
export function exitCodeOf(error: BangerError): ExitCode {
  return byReason[error.reason] ?? exitCodes.failed;
}
