import { printable, utf8Bytes } from "../base/bytes.ts";
import { BangerError, type ErrorDetails } from "../base/error.ts";
import { parseJson } from "../base/json.ts";
import type { Limits } from "../base/limits.ts";
import { readAtMost } from "../base/read-at-most.ts";
import type { HttpResponse } from "./response.ts";
import { TransientError, isTransientStatus, parseRetryAfter } from "./transient.ts";

const longestQuote = 300;

/** What a request was for, as errors say it. */
export interface Asked {
  /** As `manifest of docker.io/library/debian:bookworm`. */
  readonly subject: string;
  readonly op: string;
}

/**
 * Turns an answer that is no success into an error that quotes what the server said. Reads the body, or as much as
 * is allowed, and closes it.
 */
export async function statusError(
  response: HttpResponse,
  asked: Asked,
  limits: Pick<Limits, "errorBodyBytes">,
  now: number,
): Promise<BangerError> {
  const { status } = response;
  const said = await readSaid(response, limits.errorBodyBytes);
  const message = `${response.url.host} answered ${status} for the ${asked.subject}${said === "" ? "" : `: ${said}`}`;
  const details: ErrorDetails = { op: asked.op, facts: { httpStatus: String(status) } };
  if (isTransientStatus(status)) {
    const retryAfterMs = parseRetryAfter(response.header("retry-after"), now);
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    if (status === 429) {
      const hint = "Wait, or log in: registries give anonymous users fewer pulls.";
      return new TransientError("RATE_LIMITED", message, { ...details, ...wait, hint });
    }
    return new TransientError("REGISTRY_UNAVAILABLE", message, { ...details, ...wait });
  }
  if (status === 401 || status === 403) {
    const hint =
      "Check the name, since many registries answer so for what does not exist, and that your credentials may pull it.";
    return new BangerError("REGISTRY_AUTH", message, { ...details, hint });
  }
  if (status >= 500) return new BangerError("REGISTRY_UNAVAILABLE", message, details);
  return new BangerError("REGISTRY_PROTOCOL", message, details);
}

/** A server that doesn't finish its explanation is not waited for: the status says enough. */
async function readSaid(response: HttpResponse, limit: number): Promise<string> {
  try {
    const { bytes } = await readAtMost(response.body(), limit);
    return quote(describeErrorBody(bytes));
  } catch (error) {
    if (error instanceof TransientError) return "";
    throw error;
  }
}

/** distribution-spec, "Error Codes": `{"errors": [{"code", "message"}]}`; anything else is quoted as text. */
export function describeErrorBody(bytes: Uint8Array): string {
  try {
    const root = parseJson(bytes, { reason: "REGISTRY_PROTOCOL", op: "read error", subject: "error body" });
    const errors = root.at("errors").list();
    const texts = errors.map((node) => {
      return [node.at("code").optionalText(), node.at("message").optionalText()].filter(Boolean).join(": ");
    });
    if (texts.length > 0) return texts.join("; ");
    return root.at("details").optionalText() ?? root.at("message").optionalText() ?? "";
  } catch {
    // Not an error document: a proxy's page, most likely.
    const text = Buffer.from(bytes).toString("utf8").trim();
    return text.startsWith("<") ? "" : text;
  }
}

/** No escape sequence of a server's reaches a terminal. */
function quote(text: string): string {
  const short = text.length > longestQuote ? `${text.slice(0, longestQuote)}…` : text;
  return printable(utf8Bytes(short.toWellFormed()));
}
