import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Method } from "../service/definition.ts";

/** What commands need of a daemon: typed calls that end when the signal says so, and fail with a BangerError. */
export interface Rpc {
  unary<I extends DescMessage, O extends DescMessage>(
    method: Method<"unary", I, O>,
    request: MessageInitShape<I>,
    signal: AbortSignal,
  ): Promise<MessageShape<O>>;
  /** Leaving the loop early cancels the call. Chunks of bytes are views into what was received: copy what is kept. */
  stream<I extends DescMessage, O extends DescMessage>(
    method: Method<"server_streaming", I, O>,
    request: MessageInitShape<I>,
    signal: AbortSignal,
  ): AsyncIterable<MessageShape<O>>;
}
