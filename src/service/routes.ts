import type { DescMessage, DescMethod, DescService, MessageShape } from "@bufbuild/protobuf";
import type { Server, UntypedHandleCall } from "@grpc/grpc-js";
import type { ServerDuplexStream, ServerUnaryCall, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import { BangerError } from "../base/error.ts";
import { serviceDefinition, type Method } from "./definition.ts";
import { toServiceError } from "./status.ts";
import type { ClientBounds } from "./client-bounds.ts";
import { signalOf, withDeadline, writeAll, type MessageWriter } from "./stream.ts";

/** What a handler may know of the call besides the request. */
export interface CallContext {
  /** Aborts when there is nobody left to answer, or the time is up. */
  readonly signal: AbortSignal;
}

/** A method and what answers it. */
export interface Route {
  readonly method: DescMethod;
  readonly handle: UntypedHandleCall;
  /** The same, counted and bounded; of those that stream. */
  readonly handleWithin?: (bounds: ClientBounds) => UntypedHandleCall;
}

/** One route for each method of a generated service; the compiler misses none. */
export type Routes<S extends DescService> = { readonly [K in keyof S["method"]]: Route };

/** How long a unary call may take where nothing else is said, in milliseconds: a registry that hangs is given up before. */
const unaryMs = 10 * 60_000;

/** Binds an async function to a unary method. What it throws becomes the call's status; so does taking too long. */
export function unary<I extends DescMessage, O extends DescMessage>(
  method: Method<"unary", I, O>,
  answer: (request: MessageShape<I>, context: CallContext) => Promise<MessageShape<O>>,
  { deadlineMs = unaryMs }: { readonly deadlineMs?: number } = {},
): Route {
  const handle = (
    call: ServerUnaryCall<MessageShape<I>, MessageShape<O>>,
    callback: sendUnaryData<MessageShape<O>>,
  ): void => {
    const work = (signal: AbortSignal): Promise<MessageShape<O>> => answer(call.request, { signal });
    void settle(
      async () => callback(null, await withDeadline(signalOf(call), deadlineMs, method.name, work)),
      (error) => callback(toServiceError(error, method.name)),
    );
  };
  return { method, handle };
}

/**
 * Binds a generator to a server-streaming method. It is returned early when the client leaves, or takes nothing for
 * `stallMs`, where that is given: whoever watches may look away, but what holds a file open may not for ever.
 */
export function serverStreaming<I extends DescMessage, O extends DescMessage>(
  method: Method<"server_streaming", I, O>,
  answer: (request: MessageShape<I>, context: CallContext) => AsyncIterable<MessageShape<O>>,
  { stallMs }: { readonly stallMs?: number } = {},
): Route {
  type Call = ServerWritableStream<MessageShape<I>, MessageShape<O>>;
  const handle = (call: Call): void => {
    const signal = signalOf(call);
    void stream(method, call, () => answer(call.request, { signal }), signal, stallMs);
  };
  return { method, handle, handleWithin: within(method, handle) };
}

/** Binds a generator to a method where both ends stream. */
export function bidiStreaming<I extends DescMessage, O extends DescMessage>(
  method: Method<"bidi_streaming", I, O>,
  answer: (requests: AsyncIterable<MessageShape<I>>, context: CallContext) => AsyncIterable<MessageShape<O>>,
): Route {
  type Call = ServerDuplexStream<MessageShape<I>, MessageShape<O>>;
  const handle = (call: Call): void => {
    const signal = signalOf(call);
    // Left to itself, iterating destroys the stream once the requests end: the answer's trailers would never be sent.
    const requests = call.iterator({ destroyOnReturn: false });
    void stream(method, call, () => answer(requests, { signal }), signal);
  };
  return { method, handle, handleWithin: within(method, handle) };
}

/** What is needed of a call to count it. */
interface CountedCall {
  getPeer(): string;
  once(event: "cancelled", listener: () => void): unknown;
  emit(event: "error", error: unknown): unknown;
}

/** Calls `handle` for those that the bounds let in, and counts each until it ends. */
function within<Call extends CountedCall>(
  method: DescMethod,
  handle: (call: Call) => void,
): (bounds: ClientBounds) => (call: Call) => void {
  return (bounds) => (call) => {
    try {
      const entered = bounds.enter(call.getPeer(), method.name === "PullImage");
      // grpc-js says so at the end of every call, however it ends.
      call.once("cancelled", () => entered[Symbol.dispose]());
    } catch (error) {
      call.emit("error", toServiceError(error, method.name));
      return;
    }
    handle(call);
  };
}

/** Adds a service to a server; where there are bounds, its streams count in them. */
export function addService<S extends DescService>(
  server: Server,
  service: S,
  routes: Routes<S>,
  bounds?: ClientBounds,
): void {
  const all: Readonly<Record<string, Route>> = routes;
  const handlers = service.methods.map((method): [string, UntypedHandleCall] => {
    const route = all[method.localName];
    if (route?.method !== method) {
      throw new BangerError("INTERNAL", `${method.name} has no route of its own`, { op: "serve" });
    }
    return [
      method.localName,
      route.handleWithin === undefined || bounds === undefined ? route.handle : route.handleWithin(bounds),
    ];
  });
  server.addService(serviceDefinition(service), Object.fromEntries(handlers));
}

async function stream<O>(
  method: DescMethod,
  call: MessageWriter<O>,
  messages: () => AsyncIterable<O>,
  signal: AbortSignal,
  stallMs?: number,
): Promise<void> {
  await settle(
    async () => {
      await writeAll(call, messages(), signal, stallMs);
      call.end();
    },
    // `emit` sends the status; `destroy(error)` would leave the client waiting.
    (error) => void (signal.aborted || call.emit("error", toServiceError(error, method.name))),
  );
}

/** A handler that rejected would leave its client hanging: everything thrown ends up in `failed`. */
async function settle(work: () => Promise<void>, failed: (error: unknown) => void): Promise<void> {
  try {
    await work();
  } catch (error) {
    failed(error);
  }
}
