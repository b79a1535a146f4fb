import { BangerError } from "../base/error.ts";
import { hubDomains, repositoryPath } from "../oci/reference.ts";
import { isLocalReference } from "../oci/source-reference.ts";

/**
 * A repository under the one name that policies go by. References may spell the host of a repository differently
 * (`Registry.EXAMPLE:443`), and none of these spellings may lead around a policy. A host's other names, and its
 * addresses, are not known here.
 *
 * @param repository as `ResolvedImage` has it: `registry.example/team/app`, or `oci:/folder`
 */
export function canonicalRepository(repository: string): string {
  if (isLocalReference(repository)) return repository;
  const slash = repository.indexOf("/");
  const host = slash < 0 ? repository : repository.slice(0, slash);
  return `${canonicalHost(host)}${slash < 0 ? "" : repository.slice(slash)}`;
}

/** As URLs spell it: lower case, one form of an IPv6 address, no port where that is HTTPS's own. */
function canonicalHost(host: string): string {
  const text = `https://${host}/`;
  const spelt = URL.canParse(text) ? new URL(text).host : host.toLowerCase();
  return hubDomains.has(spelt) ? "docker.io" : spelt;
}

/**
 * What a policy is for, in canonical form: every image (`*`), or those of a registry, of a repository or its first
 * parts (`registry.example/team`), or of the local sources below a path (`oci:/srv/images`, `oci:`).
 *
 * @throws BangerError CONFIG_INVALID
 */
export function parseScope(text: string): string {
  if (text === "*") return text;
  const scope = text.replace(/\/+$/, "");
  if (isLocalReference(scope)) {
    if (/^[^:]+:(?:$|\/)/.test(scope)) return scope;
    throw invalid(text, "names a folder that is not absolute", "Write it as oci:/srv/images.");
  }
  const [host = "", ...path] = scope.split("/");
  if (!/[.:]/.test(host) && host !== "localhost") {
    throw invalid(text, "names no registry", `Write it as docker.io/library/${text}, or "*" for all.`);
  }
  if (!/^[\w.:[\]-]+$/.test(host) || !URL.canParse(`https://${host}/`)) {
    throw invalid(
      text,
      "names a malformed registry",
      "Write it as registry.example or registry.example:5000.",
    );
  }
  if (path.length > 0 && !repositoryPath.test(path.join("/"))) {
    const hint = "Write the first parts of a repository's path, without a tag: registry.example/team.";
    throw invalid(text, "names a malformed repository", hint);
  }
  return canonicalRepository(scope);
}

/** Whether an image of that canonical repository is of the scope: below it at a `/`, or it itself. */
export function covers(scope: string, repository: string): boolean {
  return scope === "*" || repository === scope || repository.startsWith(`${scope}/`);
}

function invalid(text: string, problem: string, hint: string): BangerError {
  return new BangerError("CONFIG_INVALID", `the scope ${JSON.stringify(text.slice(0, 200))} ${problem}`, {
    op: "read signature policy",
    hint,
  });
}
