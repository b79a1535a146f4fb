import assert from "node:assert/strict";
import test from "node:test";
import { hasReason } from "../../src/base/error.ts";
import { parsePolicies, policyFor, type SignatureSetting } from "../../src/signature/policy.ts";
import { canonicalRepository } from "../../src/signature/repository-scope.ts";

const key = "/etc/banger/cosign.pub";

/** Which of the scopes decides on a repository; undefined for none. */
function decides(scopes: readonly string[], repository: string): string | undefined {
  const settings = scopes.map((scope): SignatureSetting =>
    scope.startsWith("oci") ? { scope, accept: "unsigned" } : { scope, key },
  );
  return policyFor(parsePolicies(settings), canonicalRepository(repository))?.scope;
}

test("the most specific scope decides, and ends at a slash", () => {
  const table: readonly (readonly [readonly string[], string, string | undefined])[] = [
    [[], "docker.io/library/debian", undefined],
    [["registry.example"], "registry.example/app", "registry.example"],
    [["registry.example/"], "registry.example/app", "registry.example"],
    [["registry.example"], "registry.example.evil.test/app", undefined],
    [["registry.example"], "registry.example:5000/app", undefined],
    [["registry.example:5000"], "registry.example:5000/app", "registry.example:5000"],
    [["registry.example/team"], "registry.example/team/app", "registry.example/team"],
    [["registry.example/team"], "registry.example/team", "registry.example/team"],
    [["registry.example/team"], "registry.example/teams/app", undefined],
    [["registry.example/team/app"], "registry.example/team", undefined],
    [
      ["*", "registry.example", "registry.example/a", "registry.example/a/b"],
      "registry.example/a/b/c",
      "registry.example/a/b",
    ],
    [["registry.example/a/b", "registry.example", "*"], "registry.example/b", "registry.example"],
    [["*"], "localhost:5000/app", "*"],
    [["*"], "oci:/srv/image", "*"],
    [["*", "oci:/srv"], "oci:/srv/image", "oci:/srv"],
    [["*", "oci:"], "oci:/srv/image", "oci:"],
    [["*", "oci:/srv"], "oci:/srvx/image", "*"],
    [["*", "oci:/srv"], "oci-archive:/srv/image.tar", "*"],
    [["docker.io/library"], "docker.io/library/debian", "docker.io/library"],
    [["localhost"], "localhost/app", "localhost"],
  ];
  for (const [scopes, repository, expected] of table) {
    assert.equal(decides(scopes, repository), expected, `${scopes.join(" ")} of ${repository}`);
  }
});

test("no spelling of a host leads around its policy", () => {
  const table: readonly (readonly [string, string])[] = [
    ["registry.example", "Registry.EXAMPLE/app"],
    ["registry.example", "registry.example:443/app"],
    ["registry.example", "registry.example:0443/app"],
    ["Registry.Example:443", "registry.example/app"],
    ["registry.example:5000", "registry.example:05000/app"],
    ["docker.io", "index.docker.io/library/debian"],
    ["docker.io", "registry-1.docker.io/library/debian"],
    ["index.docker.io/library", "docker.io/library/debian"],
    ["docker.io", "Docker.IO/library/debian"],
    ["[::1]:5000", "[0:0:0:0:0:0:0:1]:5000/app"],
    ["127.0.0.1:5000", "127.1:5000/app"],
    ["127.0.0.1:5000", "0x7f.0.0.1:5000/app"],
  ];
  for (const [scope, repository] of table) {
    assert.notEqual(decides([scope], repository), undefined, `${scope} of ${repository}`);
  }
});

test("a policy that can't be meant so is refused", () => {
  const table: readonly (readonly [readonly SignatureSetting[], RegExp])[] = [
    [[{ scope: "debian", key }], /names no registry/],
    [[{ scope: "", key }], /names no registry/],
    [[{ scope: "registry.example/Team", key }], /malformed repository/],
    [[{ scope: "registry.example/app:1.0", key }], /malformed repository/],
    [[{ scope: "registry.example/*", key }], /malformed repository/],
    [[{ scope: "*.example", key }], /malformed registry/],
    [[{ scope: "https://registry.example", key }], /malformed/],
    [[{ scope: "oci:srv", accept: "unsigned" }], /not absolute/],
    [[{ scope: "oci:/srv", key }], /no signatures are looked for/],
    [[{ scope: "registry.example" }], /needs either/],
    [[{ scope: "registry.example", key, accept: "unsigned" }], /needs either/],
    [[{ scope: "registry.example", key: "cosign.pub" }], /not an absolute path/],
    [
      [
        { scope: "registry.example", key },
        { scope: "Registry.example/", accept: "unsigned" },
      ],
      /two policies/,
    ],
  ];
  for (const [settings, message] of table) {
    assert.throws(
      () => parsePolicies(settings),
      (error: unknown) => hasReason(error, "CONFIG_INVALID") && message.test(error.message),
      JSON.stringify(settings),
    );
  }
});

test("a narrower scope may be exempted", () => {
  const policies = parsePolicies([
    { scope: "registry.example", key },
    { scope: "registry.example/scratch", accept: "unsigned" },
  ]);
  assert.equal(policyFor(policies, "registry.example/scratch/app")?.keyPath, undefined);
  assert.equal(policyFor(policies, "registry.example/app")?.keyPath, key);
});
