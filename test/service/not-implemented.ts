import type { DescMethod } from "@bufbuild/protobuf";
import type { UntypedHandleCall, sendUnaryData } from "@grpc/grpc-js";
import { BangerError } from "../../src/base/error.ts";
import type { Route } from "../../src/service/routes.ts";
import { toServiceError } from "../../src/service/status.ts";
import type { MessageWriter } from "../../src/service/stream.ts";

/** A method that a server of a test does not have. */
export function notImplemented(method: DescMethod): Route {
  const failure = () =>
    toServiceError(
      new BangerError("NOT_IMPLEMENTED", `${method.name} is not part of this test`, { op: method.name }),
      method.name,
    );
  const streams = method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming";
  const handle: UntypedHandleCall = streams
    ? (call: MessageWriter<unknown>) => void call.emit("error", failure())
    : (_call: unknown, callback: sendUnaryData<unknown>) => callback(failure());
  return { method, handle };
}
