import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import { Builder } from "../../gen/banger/image/v1/image_pb.ts";
import { PullOptionsSchema, VerifyDepth } from "../../gen/banger/image/v1/pull_pb.ts";
import { BangerError, hasReason, type Reason } from "../../src/base/error.ts";
import { parsePageSize, parsePullRequest } from "../../src/service/parse-request.ts";

type Init = MessageInitShape<typeof PullOptionsSchema>;

const parse = (reference: string, options?: Init) =>
  parsePullRequest(reference, options === undefined ? undefined : create(PullOptionsSchema, options));

/** A number that a later version of the API may know. */
function unknownEnum(field: "builder" | "verify"): Init {
  const { builder, verify } = fromJson(PullOptionsSchema, { [field]: 99 });
  return { builder, verify };
}

function failure(reference: string, options?: Init): BangerError {
  try {
    parse(reference, options);
  } catch (error) {
    assert.ok(error instanceof BangerError);
    return error;
  }
  return assert.fail("it was accepted");
}

describe("a pull request", () => {
  test("without options has the defaults, with empty ones too", () => {
    const expected = {
      reference: "debian:bookworm",
      name: undefined,
      platform: { os: "linux", architecture: "amd64" },
      sizeBytes: undefined,
      builder: undefined,
      noAgents: false,
      keepIdentity: false,
      strict: false,
      verify: "metadata",
      detached: false,
      kernel: undefined,
      credentials: undefined,
    };
    assert.deepEqual(parse("debian:bookworm"), expected);
    assert.deepEqual(parse("debian:bookworm", {}), expected);
  });

  test("has every option that was given", () => {
    const found = parse("oci:/images/debian:12", {
      name: "deb",
      platform: "linux/arm/v7",
      sizeBytes: 4n << 30n,
      builder: Builder.DIRECT,
      noAgents: true,
      keepIdentity: true,
      strict: true,
      verify: VerifyDepth.FULL,
      detached: true,
    });
    assert.deepEqual(found, {
      reference: "oci:/images/debian:12",
      name: "deb",
      platform: { os: "linux", architecture: "arm", variant: "v7" },
      sizeBytes: 2 ** 32,
      builder: "direct",
      noAgents: true,
      keepIdentity: true,
      strict: true,
      verify: "full",
      detached: true,
      kernel: undefined,
      credentials: undefined,
    });
  });

  const wrong: readonly (readonly [string, Init, Reason, string])[] = [
    ["", {}, "REFERENCE_INVALID", "reference"],
    ["debian/UPPER", {}, "REFERENCE_INVALID", "reference"],
    ["oci:relative/folder", {}, "REFERENCE_INVALID", "reference"],
    ["oci-archive:file.tar", {}, "REFERENCE_INVALID", "reference"],
    ["x".repeat(5000), {}, "REFERENCE_INVALID", "reference"],
    ["debian", { name: "Not A Name" }, "NAME_INVALID", "name"],
    ["debian", { name: "../x" }, "NAME_INVALID", "name"],
    ["debian", { platform: "windows/amd64" }, "PLATFORM_INVALID", "platform"],
    ["debian", { platform: "linux" }, "PLATFORM_INVALID", "platform"],
    ["debian", { sizeBytes: -1n }, "SIZE_INVALID", "size_bytes"],
    ["debian", { sizeBytes: 1n << 60n }, "SIZE_INVALID", "size_bytes"],
    ["debian", unknownEnum("builder"), "OPTION_INVALID", "builder"],
    ["debian", unknownEnum("verify"), "OPTION_INVALID", "verify"],
  ];
  for (const [reference, options, reason, field] of wrong) {
    const shown = JSON.stringify([reference.slice(0, 30), options], (_, value: unknown) =>
      typeof value === "bigint" ? String(value) : value,
    );
    test(`${reason} names ${field}: ${shown}`, () => {
      const error = failure(reference, options);
      assert.equal(error.reason, reason);
      assert.equal(error.fields[0]?.field, field);
      assert.notEqual(error.fields[0]?.description, "");
    });
  }

  test("all that is wrong is told at once", () => {
    const error = failure("UPPER", {
      ...unknownEnum("builder"),
      name: "No",
      platform: "plan9",
      sizeBytes: -1n,
    });
    const fields = error.fields.map(({ field }) => field);
    assert.deepEqual(fields, ["reference", "name", "platform", "size_bytes", "builder"]);
  });

  test("takes a kernel by its name or source, or by its files, with its modules in the image or not", () => {
    const of = (options: Init) => parse("debian", options).kernel;
    assert.deepEqual(of({ kernel: { ref: "cloud" } }), {
      selection: { kind: "ref", ref: "cloud" },
      modulesIntoRootfs: false,
    });
    const modulesPath = "/lib/modules/6.1";
    assert.deepEqual(of({ kernel: { kernelPath: "/boot/k", modulesPath }, modulesIntoRootfs: true }), {
      selection: { kind: "files", files: { kernelPath: "/boot/k", initrdPath: undefined, modulesPath } },
      modulesIntoRootfs: true,
    });
    assert.equal(of({ kernel: { ref: "deb:/tmp/linux-image.deb" } })?.selection.kind, "ref");
  });

  const halfKernels: readonly (readonly [Init, readonly string[]])[] = [
    [{ kernel: {} }, ["options.kernel"]],
    [{ kernel: { initrdPath: "/i" } }, ["options.kernel"]],
    [{ kernel: { ref: "k", kernelPath: "/k" } }, ["options.kernel.ref", "options.kernel.kernel_path"]],
    [
      { kernel: { kernelPath: "k", initrdPath: "i" } },
      ["options.kernel.kernel_path", "options.kernel.initrd_path"],
    ],
    [{ kernel: { ref: "deb:relative.deb" } }, ["kernel_ref"]],
    [{ kernel: { ref: "../x" } }, ["kernel_ref"]],
    [{ modulesIntoRootfs: true }, ["options.modules_into_rootfs"]],
    [{ kernel: { kernelPath: "/k" }, modulesIntoRootfs: true }, ["options.kernel.modules_path"]],
  ];
  for (const [options, fields] of halfKernels) {
    test(`a kernel like ${JSON.stringify(options)} is refused with what to give`, () => {
      const error = failure("debian", options);
      assert.deepEqual(
        error.fields.map(({ field }) => field),
        fields,
      );
      assert.match(error.hint + error.message, /[Gg]ive/);
    });
  }
});

describe("credentials of a request", () => {
  const parsed = (username: string, password: string, reference = "debian") =>
    parsePullRequest(reference, create(PullOptionsSchema, { credentials: { username, password } }))
      .credentials;

  test("are a user's, or an identity token", () => {
    assert.deepEqual(parsed("me", "a:b"), { kind: "basic", username: "me", password: "a:b" });
    assert.deepEqual(parsed("<token>", "t"), { kind: "identity", username: "<token>", token: "t" });
  });

  test("that can't be are refused, and not quoted", () => {
    const table: readonly (readonly [string, string, string?])[] = [
      ["", "hunter2"],
      ["a:hunter2", "x"],
      ["me", "hunter2\r\nX-Evil: 1"],
      ["me", "hunter2".repeat(10_000)],
      ["me", "hunter2", "oci:/x"],
      ["me", "hunter2", "docker-archive:/x.tar"],
    ];
    for (const row of table) {
      assert.throws(
        () => parsed(...row),
        (error: unknown) =>
          hasReason(error, "OPTION_INVALID") &&
          error.fields.length === 1 &&
          !JSON.stringify([error.message, error.hint, error.fields]).includes("hunter2"),
        row[0],
      );
    }
  });
});

test("a page has 100 rows by default, 1,000 at most, and no negative number", () => {
  assert.deepEqual([0, 1, 1000, 1001, 2 ** 31 - 1].map(parsePageSize), [100, 1, 1000, 1000, 1000]);
  assert.throws(
    () => parsePageSize(-1),
    (error) => hasReason(error, "OPTION_INVALID"),
  );
});
