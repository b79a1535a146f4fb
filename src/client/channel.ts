import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { Client, connectivityState, credentials, status, type ServiceError } from "@grpc/grpc-js";
import { BangerError, asBangerError } from "../base/error.ts";
import { methodDefinition, type Method } from "../service/definition.ts";
import { fromServiceError } from "../service/status.ts";
import { wordsFor } from "./call-words.ts";
import type { Rpc } from "./rpc.ts";
import { daemonSilent, daemonSlow, interruptedCall } from "./waited-too-long.ts";

/** Bytes of one answer. More than grpc-js's 4 MiB: an image's losses come in one message. */
const maxAnswerBytes = 64 * 1024 * 1024;

/** Where bangerd's errors have their particulars; what has none is grpc-js's own doing. */
const detailsKey = "grpc-status-details-bin";

/** A connection to a daemon. Whoever opened it disposes of it; calls in flight then fail. */
export interface Channel extends Rpc, Disposable {}

/** For how long a daemon is waited for. */
export interface Patience {
  /** What it is called in errors. */
  readonly daemon: string;
  /** For its side of the HTTP/2 connection, in milliseconds: a process that is stopped or stuck never sends it. */
  readonly greetingMs: number;
  /** For an answer, in milliseconds; undefined for as long as the call's words give it. */
  readonly answerMs?: number | undefined;
}

/** How often to ask a daemon that works on a call whether it lives, and how long its event loop may be busy. */
const pingMs = 20_000;
const pingAnswerMs = 60_000;

/** @param patience undefined to wait for ever */
export function openChannel(socketPath: string, patience?: Patience): Channel {
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": maxAnswerBytes,
    "grpc.enable_http_proxy": 0,
    // A call is tried once: the daemon itself retries what may be retried.
    "grpc.enable_retries": 0,
    ...(patience === undefined
      ? {}
      : { "grpc.keepalive_time_ms": pingMs, "grpc.keepalive_timeout_ms": pingAnswerMs }),
  });
  const connection = { client, patience };
  return {
    unary: async (method, request, signal) => {
      const connected = await greeted(connection, method.name, signal);
      return await unaryCall({ ...connection, connected }, method, request, signal);
    },
    stream: async function* (method, request, signal) {
      const connected = await greeted(connection, method.name, signal);
      yield* streamCall({ ...connection, connected }, method, request, signal);
    },
    [Symbol.dispose]: () => client.close(),
  };
}

interface ClientConnection {
  readonly client: Client;
  readonly patience: Patience | undefined;
  /** Whether the daemon was there when the call began. */
  readonly connected: boolean;
}

/**
 * Returns once the daemon has sent its side of the connection, or can't be connected to at all, which the call tells
 * then: grpc-js itself would wait for it for ever.
 *
 * @returns whether it has, where that is known.
 * @throws BangerError DAEMON_UNREACHABLE where it sends nothing.
 */
async function greeted(
  { client, patience }: Omit<ClientConnection, "connected">,
  method: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (patience === undefined) return false;
  const channel = client.getChannel();
  const until = Date.now() + patience.greetingMs;
  for (;;) {
    const state = channel.getConnectivityState(true);
    if (state === connectivityState.READY) return true;
    if (state !== connectivityState.IDLE && state !== connectivityState.CONNECTING) return false;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = (): void => reject(interruptedCall(signal, patience.daemon, method));
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
    channel.watchConnectivityState(state, until, (error) => {
      if (error === undefined) resolve();
      else reject(daemonSilent(patience.daemon, method, patience.greetingMs, error));
    });
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }
}

function unaryCall<I extends DescMessage, O extends DescMessage>(
  { client, patience, connected }: ClientConnection,
  method: Method<"unary", I, O>,
  request: MessageInitShape<I>,
  signal: AbortSignal,
): Promise<MessageShape<O>> {
  const { promise, resolve, reject } = Promise.withResolvers<MessageShape<O>>();
  const { path, requestSerialize, responseDeserialize } = methodDefinition(method);
  const message = create(method.input, request);
  const answerMs = patience === undefined ? undefined : (patience.answerMs ?? wordsFor(method.name).answerMs);
  const options = answerMs === undefined ? {} : { deadline: Date.now() + answerMs };
  const call = client.makeUnaryRequest(
    path,
    requestSerialize,
    responseDeserialize,
    message,
    options,
    (error, answer) => {
      signal.removeEventListener("abort", cancel);
      const late = error?.code === status.DEADLINE_EXCEEDED && isSilent(error) && answerMs !== undefined;
      if (answer !== undefined) resolve(answer);
      else if (late && !signal.aborted) reject(daemonSlow(daemonOf(patience), method.name, answerMs, error));
      else reject(translate(error, { method: method.name, daemon: daemonOf(patience), connected, signal }));
    },
  );
  const cancel = (): void => call.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();
  return promise;
}

async function* streamCall<I extends DescMessage, O extends DescMessage>(
  { client, patience, connected }: ClientConnection,
  method: Method<"server_streaming", I, O>,
  request: MessageInitShape<I>,
  signal: AbortSignal,
): AsyncGenerator<MessageShape<O>, void, undefined> {
  const { path, requestSerialize, responseDeserialize } = methodDefinition(method);
  const message = create(method.input, request);
  const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, message);
  // Leaving the loop destroys the stream; the status that follows would otherwise be an uncaught error.
  call.on("error", () => {});
  const cancel = (): void => call.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();
  const answers: AsyncIterable<MessageShape<O>> = call;
  try {
    for await (const answer of answers) yield answer;
  } catch (error) {
    throw translate(error, { method: method.name, daemon: daemonOf(patience), connected, signal });
  } finally {
    signal.removeEventListener("abort", cancel);
    // A `for await` that is left has not cancelled the call.
    call.cancel();
  }
}

interface CallContext {
  readonly method: string;
  readonly daemon: string;
  readonly connected: boolean;
  readonly signal: AbortSignal;
}

/** After an abort the reason counts, not the status that the cancel brought. */
function translate(error: unknown, { method, daemon, connected, signal }: CallContext): BangerError {
  if (signal.aborted) return interruptedCall(signal, daemon, method);
  if (!isServiceError(error)) return asBangerError(error, method);
  const failure = fromServiceError(error, method);
  // A daemon that cancels says why. Without a word the stream was reset: its process is going away, or does not answer
  // pings any more.
  const lost = failure.reason === "CANCELLED" || (failure.reason === "DAEMON_UNREACHABLE" && connected);
  return lost && isSilent(error) ? connectionLost(error, method) : failure;
}

function isSilent(error: ServiceError): boolean {
  return error.metadata.get(detailsKey).length === 0;
}

function daemonOf(patience: Patience | undefined): string {
  return patience?.daemon ?? "the daemon";
}

function connectionLost(cause: ServiceError, op: string): BangerError {
  return new BangerError("DAEMON_UNREACHABLE", `the connection to the daemon was lost: ${cause.details}`, {
    op,
    cause,
    hint: "See whether it still runs with `banger daemon status`, then try again: what was downloaded is kept, what was half built is not.",
  });
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error && "metadata" in error;
}
