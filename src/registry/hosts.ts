import { BangerError, hasReason } from "../base/error.ts";
import type { SourceOptions } from "../oci/image-source.ts";
import type { RegistryHost } from "./host.ts";

/** What a host is wanted for. */
export type Purpose = "resolve" | "pull";

/** Longest of a mirror's message that is quoted in the registry's error. */
const longestQuote = 300;

/**
 * Asks one host after the other until one has it. A host that fails is passed over where another may do better;
 * the last one's error is the one thrown, with what the others said.
 *
 * @throws BangerError CONFIG_INVALID where no host may be asked, or what `ask` throws
 */
export async function askInTurn<T>(
  hosts: readonly RegistryHost[],
  purpose: Purpose,
  subject: string,
  options: SourceOptions,
  ask: (host: RegistryHost) => Promise<T>,
): Promise<T> {
  const able = hosts.filter(({ place }) => (purpose === "resolve" ? place.mayResolve : place.mayPull));
  const failures: string[] = [];
  for (const [at, host] of able.entries()) {
    try {
      return await ask(host);
    } catch (error) {
      if (!mayBeElsewhere(error)) throw error;
      if (at === able.length - 1) throw withMirrors(error, failures);
      failures.push(`${host.name}: ${error.message}`);
      const why = `${error.message}; asking ${able[at + 1]?.name ?? ""}`;
      options.onRetry({ subject, attempt: at + 2, delayMs: 0, why });
    }
  }
  throw new BangerError("CONFIG_INVALID", `no host may be asked for the ${subject}`, {
    op: "choose host",
    hint: `Give one of the hosts in hosts.toml the capability ${JSON.stringify(purpose)}.`,
  });
}

/** What is wrong with one host, and need not be with the next. */
function mayBeElsewhere(error: unknown): error is BangerError {
  return hasReason(
    error,
    "REGISTRY_UNAVAILABLE",
    "REGISTRY_AUTH",
    "REGISTRY_PROTOCOL",
    "RATE_LIMITED",
    "MANIFEST_UNKNOWN",
    "BLOB_UNKNOWN",
    "DIGEST_MISMATCH",
    "SIZE_MISMATCH",
  );
}

function withMirrors(error: BangerError, failures: readonly string[]): BangerError {
  if (failures.length === 0) return error;
  const said = failures.map((text) =>
    text.length > longestQuote ? `${text.slice(0, longestQuote)}…` : text,
  );
  const { reason, op, hint, facts, retryAfterMs } = error;
  return new BangerError(reason, `${error.message} (before that, ${said.join("; ")})`, {
    op,
    hint,
    facts,
    cause: error,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
