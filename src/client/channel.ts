import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { BangerError, asBangerError } from "../base/error.ts";
import { methodDefinition, type Method } from "../service/definition.ts";
import { fromServiceError } from "../service/status.ts";
import type { Rpc } from "./rpc.ts";

/** Bytes of one answer. More than grpc-js's 4 MiB: an image's losses come in one message. */
const maxAnswerBytes = 64 * 1024 * 1024;

/** Where bangerd's errors have their particulars; what has none is grpc-js's own doing. */
const detailsKey = "grpc-status-details-bin";

/** A connection to a daemon. Whoever opened it disposes of it; calls in flight then fail. */
export interface Channel extends Rpc, Disposable {}

/** Opens nothing yet: the first call connects. */
export function openChannel(socketPath: string): Channel {
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": maxAnswerBytes,
    "grpc.enable_http_proxy": 0,
    // A call is tried once: the daemon itself retries what may be retried.
    "grpc.enable_retries": 0,
  });
  return {
    unary: (method, request, signal) => unaryCall(client, method, request, signal),
    stream: (method, request, signal) => streamCall(client, method, request, signal),
    [Symbol.dispose]: () => client.close(),
  };
}

function unaryCall<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: Method<"unary", I, O>,
  request: MessageInitShape<I>,
  signal: AbortSignal,
): Promise<MessageShape<O>> {
  const { promise, resolve, reject } = Promise.withResolvers<MessageShape<O>>();
  const { path, requestSerialize, responseDeserialize } = methodDefinition(method);
  const message = create(method.input, request);
  const call = client.makeUnaryRequest(
    path,
    requestSerialize,
    responseDeserialize,
    message,
    (error, answer) => {
      signal.removeEventListener("abort", cancel);
      if (answer !== undefined) resolve(answer);
      else reject(translate(error, method.name, signal));
    },
  );
  const cancel = (): void => call.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();
  return promise;
}

async function* streamCall<I extends DescMessage, O extends DescMessage>(
  client: Client,
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
    throw translate(error, method.name, signal);
  } finally {
    signal.removeEventListener("abort", cancel);
    // A `for await` that is left has not cancelled the call.
    call.cancel();
  }
}

/** After an abort the reason counts, not the status that the cancel brought. */
function translate(error: unknown, op: string, signal: AbortSignal): BangerError {
  if (signal.aborted) return asBangerError(signal.reason, op);
  if (!isServiceError(error)) return asBangerError(error, op);
  const failure = fromServiceError(error, op);
  // A daemon that cancels says why. Without a word the stream was reset: its process is going away.
  const silent = failure.reason === "CANCELLED" && error.metadata.get(detailsKey).length === 0;
  return silent ? connectionLost(error, op) : failure;
}

function connectionLost(cause: ServiceError, op: string): BangerError {
  return new BangerError("DAEMON_UNREACHABLE", `the connection to the daemon was lost: ${cause.details}`, {
    op,
    cause,
    hint: "See whether it still runs with `banger daemon status`, then try again: nothing half done is kept.",
  });
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error && "metadata" in error;
}
