import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Metadata, status as Code, type ServiceError } from "@grpc/grpc-js";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { hints } from "../../src/base/hints.ts";
import { BangerError, reasons, type Reason } from "../../src/base/error.ts";
import { StatusFailure, codeOf, fromServiceError, toServiceError } from "../../src/service/status.ts";

/** What a client gets of what a server sent. */
function received(error: unknown): BangerError {
  const { code, details, metadata } = toServiceError(error, "test");
  return fromServiceError(serviceError(code, details, metadata.clone()), "call");
}

function serviceError(code: Code, details: string, metadata: Metadata = new Metadata()): ServiceError {
  return Object.assign(new Error(`${code}: ${details}`), { code, details, metadata });
}

/** The table of the design, one line for each group. */
const table: readonly (readonly [Code, readonly Reason[]])[] = [
  [Code.INVALID_ARGUMENT, ["REFERENCE_INVALID", "NAME_INVALID", "PLATFORM_INVALID", "SIZE_INVALID"]],
  [Code.NOT_FOUND, ["MANIFEST_UNKNOWN", "IMAGE_UNKNOWN", "PULL_UNKNOWN", "KERNEL_UNKNOWN"]],
  [Code.ALREADY_EXISTS, ["NAME_TAKEN"]],
  [
    Code.RESOURCE_EXHAUSTED,
    ["DISK_FULL", "RATE_LIMITED", ...reasons.filter((one) => one.startsWith("LIMIT_"))],
  ],
  [Code.FAILED_PRECONDITION, ["E2FSPROGS_MISSING", "E2FSPROGS_TOO_OLD"]],
  [Code.DATA_LOSS, ["DIGEST_MISMATCH", "SIZE_MISMATCH", "DIFFID_MISMATCH", "VERIFY_FAILED"]],
  [Code.INVALID_ARGUMENT, ["LAYER_UNSAFE", "LAYER_UNENCODABLE"]],
  [Code.UNAVAILABLE, ["REGISTRY_UNAVAILABLE", "SHUTTING_DOWN"]],
  [Code.CANCELLED, ["CANCELLED"]],
  [Code.UNIMPLEMENTED, ["NOT_IMPLEMENTED"]],
];

describe("errors on the wire", () => {
  test("every reason comes back whole", () => {
    for (const reason of reasons) {
      const error = new BangerError(reason, `what happened: ${reason}`, {
        op: "do it",
        hint: "Do the other thing.",
        fields: [{ field: "name", description: "It is empty." }],
        retryAfterMs: 1500,
        facts: { layer: "3", entry: "17", rule: "no-dotdot" },
      });
      const back = received(error);
      for (const key of ["reason", "message", "op", "hint", "fields", "retryAfterMs", "facts"] as const) {
        assert.deepEqual(back[key], error[key], `${reason} ${key}`);
      }
    }
  });

  test("a bare error comes back bare", () => {
    const error = new BangerError("IMAGE_UNKNOWN", "no such image", { op: "find" });
    const back = received(error);
    assert.deepEqual(back.fields, []);
    assert.deepEqual(back.facts, {});
    assert.equal(back.hint, hints.IMAGE_UNKNOWN);
    assert.equal(back.retryAfterMs, undefined);
  });

  test("codes are those of the design, and none is OK or UNKNOWN", () => {
    for (const [code, group] of table) {
      for (const reason of group) assert.equal(codeOf({ reason, facts: {} }), code, reason);
    }
    for (const reason of reasons) {
      const code = codeOf({ reason, facts: {} });
      assert.ok(code !== Code.OK && code !== Code.UNKNOWN && Code[code] !== undefined, reason);
    }
  });

  test("a registry's 401 and 403 are two codes", () => {
    assert.equal(codeOf({ reason: "REGISTRY_AUTH", facts: { httpStatus: "401" } }), Code.UNAUTHENTICATED);
    assert.equal(codeOf({ reason: "REGISTRY_AUTH", facts: { httpStatus: "403" } }), Code.PERMISSION_DENIED);
    assert.equal(codeOf({ reason: "REGISTRY_AUTH", facts: {} }), Code.UNAUTHENTICATED);
  });

  test("what is no BangerError becomes one that a person can act on", () => {
    const full = Object.assign(new Error("write"), { code: "ENOSPC" });
    assert.equal(received(full).reason, "DISK_FULL");
    assert.equal(received("a string").reason, "INTERNAL");
    assert.equal(received(new DOMException("left", "AbortError")).reason, "CANCELLED");
  });

  test("a lone surrogate can't break the call", () => {
    const error = new BangerError("INTERNAL", "a\ud800b", {
      op: "\udc00",
      hint: "\ud800",
      facts: { x: "\ud800" },
    });
    const back = received(error);
    assert.equal(back.message, "a\ufffdb");
    assert.equal(encodeURI(toServiceError(error, "x").details), "a%EF%BF%BDb");
    assert.equal(back.facts["x"], "\ufffd");
  });

  test("however much an error says, the trailers stay small", () => {
    const long = "x".repeat(100_000);
    const facts = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`k${at}${long}`, long]));
    const fields = Array.from({ length: 100 }, () => ({ field: long, description: long }));
    const { details, metadata } = toServiceError(
      new BangerError("INTERNAL", long, { op: long, hint: long, facts, fields }),
      "x",
    );
    const bytes = JSON.stringify(metadata.toHttp2Headers()).length + encodeURI(details).length;
    assert.ok(bytes < 8 * 1024, String(bytes));
    assert.equal(received(new BangerError("DISK_FULL", long, { op: long })).reason, "DISK_FULL");
  });

  test("a failure that is one already stays as it is", () => {
    const failure = new StatusFailure(Code.NOT_FOUND, "no such service");
    assert.equal(toServiceError(failure, "x"), failure);
  });
});

describe("errors of others", () => {
  test("are told by their code", () => {
    const plain: readonly (readonly [Code, Reason])[] = [
      [Code.UNAVAILABLE, "DAEMON_UNREACHABLE"],
      [Code.UNIMPLEMENTED, "NOT_IMPLEMENTED"],
      [Code.CANCELLED, "CANCELLED"],
      [Code.DEADLINE_EXCEEDED, "CANCELLED"],
      [Code.INTERNAL, "INTERNAL"],
      [Code.UNKNOWN, "INTERNAL"],
    ];
    for (const [code, reason] of plain) {
      assert.equal(fromServiceError(serviceError(code, "text"), "call").reason, reason);
    }
  });

  test("details that can't be read, or are another domain's, leave the plain code", () => {
    const garbage = new Metadata();
    garbage.set("grpc-status-details-bin", Buffer.from("garbage that is no message"));
    assert.equal(
      fromServiceError(serviceError(Code.UNAVAILABLE, "x", garbage), "call").reason,
      "DAEMON_UNREACHABLE",
    );

    const withInfo = (domain: string, reason: string): Metadata => {
      const details = [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { domain, reason }))];
      const metadata = new Metadata();
      const bytes = toBinary(StatusSchema, create(StatusSchema, { code: 5, message: "theirs", details }));
      metadata.set("grpc-status-details-bin", Buffer.from(bytes));
      return metadata;
    };
    const back = (metadata: Metadata) =>
      fromServiceError(serviceError(Code.NOT_FOUND, "x", metadata), "call").reason;
    assert.equal(back(withInfo("other.example", "IMAGE_UNKNOWN")), "INTERNAL");
    assert.equal(back(withInfo("image.banger", "A_REASON_OF_THE_FUTURE")), "INTERNAL");
    assert.equal(back(withInfo("image.banger", "IMAGE_UNKNOWN")), "IMAGE_UNKNOWN");
  });
});
