import { isAbsolute } from "node:path";
import { BangerError } from "../base/error.ts";
import { isLocalReference } from "../oci/source-reference.ts";
import { covers, parseScope } from "./repository-scope.ts";

/** As a config file has it: either a key or `accept`. */
export interface SignatureSetting {
  readonly scope: string;
  /** Absolute path of one or more public keys, as `cosign.pub`. */
  readonly key?: string | undefined;
  /** `unsigned`: what is signed or not in this narrower scope is of no matter. */
  readonly accept?: "unsigned" | undefined;
}

export interface SignaturePolicy {
  /** Canonical; see `parseScope`. */
  readonly scope: string;
  /** File of the keys of which one must have signed; undefined where nothing is asked for. */
  readonly keyPath: string | undefined;
}

/** The most specific policy of a repository in its canonical form; undefined where none is for it. */
export function policyFor(
  policies: readonly SignaturePolicy[],
  repository: string,
): SignaturePolicy | undefined {
  const applying = policies.filter(({ scope }) => covers(scope, repository));
  // Scopes that cover one name are beginnings of each other: the longest says most. "*" is shorter than any.
  return applying.toSorted((a, b) => b.scope.length - a.scope.length)[0];
}

/** @throws BangerError CONFIG_INVALID where one can't be meant as it stands, or two are for the same scope */
export function parsePolicies(settings: readonly SignatureSetting[]): readonly SignaturePolicy[] {
  const policies = settings.map((setting) => parsePolicy(setting));
  for (const [at, { scope }] of policies.entries()) {
    if (policies.findIndex((other) => other.scope === scope) === at) continue;
    throw invalid(`there are two policies for the scope ${JSON.stringify(scope)}`, "Leave one of them out.");
  }
  return policies;
}

function parsePolicy({ scope: text, key, accept }: SignatureSetting): SignaturePolicy {
  const scope = parseScope(text);
  const named = `the scope ${JSON.stringify(scope)}`;
  if ((key === undefined) === (accept === undefined)) {
    throw invalid(`${named} needs either a key or accept = "unsigned"`, "Give one of the two.");
  }
  if (accept !== undefined) return { scope, keyPath: undefined };
  if (key === undefined || !isAbsolute(key)) {
    throw invalid(`the key of ${named} is not an absolute path`, "Write it as /etc/banger/cosign.pub.");
  }
  if (isLocalReference(scope)) {
    const hint = 'Local images can only be let in: accept = "unsigned".';
    throw invalid(`${named} has a key, but no signatures are looked for beside local images`, hint);
  }
  return { scope, keyPath: key };
}

function invalid(problem: string, hint: string): BangerError {
  return new BangerError("CONFIG_INVALID", problem, { op: "read signature policy", hint });
}
