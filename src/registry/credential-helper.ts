import { BangerError, errnoOf, hasReason } from "../base/error.ts";
import { run, type RunResult } from "../base/exec.ts";
import { parseJson } from "../base/json.ts";
import type { Limits } from "../base/limits.ts";
import { credentialsOf, type Credentials } from "./credentials.ts";

const op = "ask credential helper";

/** What a helper is run with. */
export interface HelperSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly limits: Pick<Limits, "credentialHelperBytes" | "credentialHelperMs">;
}

export interface HelperRequest {
  /** The end of the program's name, checked to be no path. */
  readonly helper: string;
  /** As helpers know the registry: a host, or `https://index.docker.io/v1/`. */
  readonly server: string;
  /** The auth file that names the helper, for errors. */
  readonly file: string;
}

/**
 * Asks `docker-credential-NAME get`: the server on stdin, JSON on stdout (docker/docker-credential-helpers). What it
 * prints holds secrets, or may: none of it gets into an error.
 *
 * @returns Undefined where the helper knows of none
 * @throws BangerError REGISTRY_AUTH where it is missing, fails, or answers nonsense; CANCELLED
 */
export async function askHelper(
  request: HelperRequest,
  surroundings: HelperSurroundings,
  signal: AbortSignal,
): Promise<Credentials | undefined> {
  const { stdout, exitCode } = await runHelper(request, surroundings, signal);
  if (exitCode === 0) return parseAnswer(stdout, request);
  // `credentials.errCredentialsNotFound`, which helpers print to stdout, of all places.
  if (/credentials not found/i.test(stdout.toString("utf8"))) return undefined;
  const how = exitCode === null ? "was killed" : `failed with exit code ${exitCode}`;
  throw failure(request, how, `Run \`echo ${request.server} | ${programOf(request)} get\` to see why.`);
}

async function runHelper(
  request: HelperRequest,
  { env, limits }: HelperSurroundings,
  signal: AbortSignal,
): Promise<RunResult> {
  try {
    return await run(programOf(request), ["get"], {
      op,
      signal,
      timeoutMs: limits.credentialHelperMs,
      maxOutputBytes: limits.credentialHelperBytes,
      input: request.server,
      // Helpers find keyrings, agents and cloud accounts by the user's environment.
      env: environmentOf(env),
    });
  } catch (error) {
    if (!hasReason(error, "INTERNAL")) throw error;
    // Without the cause, which may hold what the helper printed.
    if (errnoOf(error.cause) !== "ENOENT") throw failure(request, "did not do its work", `${error.message}.`);
    throw failure(
      request,
      "is not installed, or not on the daemon's PATH",
      `Install it, or take it out of ${request.file}.`,
    );
  }
}

/** All but what is another's secret. */
function environmentOf(env: HelperSurroundings["env"]): Readonly<Record<string, string>> {
  const known = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  return Object.fromEntries(known.filter(([name]) => name !== "BANGER_CREDS"));
}

function parseAnswer(stdout: Buffer, request: HelperRequest): Credentials | undefined {
  try {
    const root = parseJson(stdout, { reason: "REGISTRY_AUTH", op, subject: "the answer" });
    return credentialsOf(root.at("Username").optionalText() ?? "", root.at("Secret").optionalText() ?? "");
  } catch {
    // Whatever is wrong with it, a cause would quote it.
    throw failure(request, "answered what is no credentials", "Update it, or take it out of the auth file.");
  }
}

function programOf({ helper }: HelperRequest): string {
  return `docker-credential-${helper}`;
}

function failure(request: HelperRequest, what: string, hint: string): BangerError {
  const { server, file } = request;
  return new BangerError(
    "REGISTRY_AUTH",
    `the credential helper ${programOf(request)}, which ${file} names for ${server}, ${what}`,
    { op, hint },
  );
}
