import assert from "node:assert/strict";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Metadata,
  Server,
  status as Code,
  type ClientReadableStream,
  type ServiceError,
} from "@grpc/grpc-js";
import {
  ImageService,
  ReadFileRequestSchema,
  ReadFileResponseSchema,
  type ReadFileRequest,
  type ReadFileResponse,
} from "../../gen/banger/image/v1/image_service_pb.ts";
import { BangerError } from "../../src/base/error.ts";
import { methodDefinition } from "../../src/service/definition.ts";
import {
  addService,
  serverStreaming,
  unary,
  type CallContext,
  type Routes,
} from "../../src/service/routes.ts";
import { fromServiceError } from "../../src/service/status.ts";
import { serve, type TestServer } from "./grpc-server.ts";
import { notImplemented } from "./not-implemented.ts";

const { method } = ImageService;

type ReadFile = (request: ReadFileRequest, context: CallContext) => AsyncIterable<ReadFileResponse>;

/** ImageService with ReadFile as the stream at hand, GetImage as a call that fails, and nothing else. */
function withReadFile(readFile: ReadFile): (server: Server) => void {
  return (server) =>
    addService(server, ImageService, {
      ...unavailable(),
      readFile: serverStreaming(method.readFile, readFile),
      getImage: unary(method.getImage, async () => {
        throw new BangerError("IMAGE_UNKNOWN", "no such image", { op: "find image" });
      }),
    });
}

function unavailable(): Routes<typeof ImageService> {
  const { method: all } = ImageService;
  return {
    pullImage: notImplemented(all.pullImage),
    watchPull: notImplemented(all.watchPull),
    listPulls: notImplemented(all.listPulls),
    getPull: notImplemented(all.getPull),
    cancelPull: notImplemented(all.cancelPull),
    resolveImage: notImplemented(all.resolveImage),
    getImage: notImplemented(all.getImage),
    listImages: notImplemented(all.listImages),
    renameImage: notImplemented(all.renameImage),
    deleteImage: notImplemented(all.deleteImage),
    verifyImage: notImplemented(all.verifyImage),
    listFiles: notImplemented(all.listFiles),
    readFile: notImplemented(all.readFile),
    diffImages: notImplemented(all.diffImages),
    getImageUsage: notImplemented(all.getImageUsage),
    exportImage: notImplemented(all.exportImage),
    acquireImage: notImplemented(all.acquireImage),
    releaseImage: notImplemented(all.releaseImage),
  };
}

function chunk(size: number): ReadFileResponse {
  return create(ReadFileResponseSchema, { chunk: new Uint8Array(size) });
}

function open(
  server: TestServer,
  options: { deadline?: number } = {},
  request: MessageInitShape<typeof ReadFileRequestSchema> = {},
): ClientReadableStream<ReadFileResponse> {
  const { path, requestSerialize, responseDeserialize } = methodDefinition(method.readFile);
  const message = create(ReadFileRequestSchema, request);
  return server.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, message, options);
}

async function failureOf(call: ClientReadableStream<ReadFileResponse>): Promise<ServiceError> {
  const [error]: unknown[] = await once(call, "error");
  assert.ok(isServiceError(error));
  return error;
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "metadata" in error && error.metadata instanceof Metadata;
}

async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

describe("a server stream", () => {
  test("a reader that does not read holds back the source", async () => {
    let made = 0;
    await using server = await serve(
      withReadFile(async function* () {
        for (; made < 1000; made++) yield chunk(64 * 1024);
      }),
    );
    const call = open(server);
    call.on("error", () => {});
    // A grpc-js client that has read nothing at all does not hold back its connection; one that stops does.
    const [first]: unknown[] = await once(call, "data");
    assert.ok(first);
    call.pause();
    // Until nothing more is made: what is in flight is bounded by buffers, not by the 62 MiB that are to come.
    for (let before = -1; before !== made; await sleep(200)) before = made;
    assert.ok(made < 100, `${made} messages of 64 KiB were made for a reader that read none`);
    let read = 64 * 1024;
    const messages: AsyncIterable<ReadFileResponse> = call;
    for await (const message of messages) read += message.chunk.length;
    assert.equal(read, 1000 * 64 * 1024);
  });

  test("a cancel ends a source that waits for its signal", async () => {
    let ended = false;
    let reason: unknown;
    await using server = await serve(
      withReadFile(async function* (_request, { signal }) {
        try {
          yield chunk(1);
          await once(signal, "abort");
          reason = signal.reason;
        } finally {
          ended = true;
        }
      }),
    );
    const call = open(server);
    const failure = failureOf(call);
    await once(call, "data");
    call.cancel();
    assert.equal((await failure).code, Code.CANCELLED);
    await eventually(() => ended);
    assert.ok(reason instanceof BangerError && reason.reason === "CANCELLED");
  });

  test("a cancel ends a source that makes one message after the other", async () => {
    let ended = false;
    await using server = await serve(
      withReadFile(async function* () {
        try {
          for (;;) yield chunk(1024);
        } finally {
          ended = true;
        }
      }),
    );
    const call = open(server);
    const failure = failureOf(call);
    await once(call, "data");
    call.cancel();
    await failure;
    await eventually(() => ended);
  });

  test("a deadline reaches the handler", async () => {
    let aborted = false;
    await using server = await serve(
      withReadFile(async function* (_request, { signal }) {
        await once(signal, "abort");
        aborted = true;
        yield chunk(1);
      }),
    );
    const call = open(server, { deadline: Date.now() + 100 });
    call.resume();
    assert.equal((await failureOf(call)).code, Code.DEADLINE_EXCEEDED);
    await eventually(() => aborted);
  });

  test("what a source throws is the status, after all that it gave", async () => {
    await using server = await serve(
      withReadFile(async function* () {
        for (let i = 0; i < 50; i++) yield chunk(1);
        throw new BangerError("VERIFY_FAILED", "it differs", {
          op: "verify",
          facts: { path: "/etc/passwd" },
        });
      }),
    );
    const call = open(server);
    let count = 0;
    call.on("data", () => count++);
    const error = fromServiceError(await failureOf(call), "call");
    assert.equal(count, 50);
    assert.equal(error.reason, "VERIFY_FAILED");
    assert.equal(error.facts["path"], "/etc/passwd");
  });

  test("a handler that throws before its first message answers at once", async () => {
    await using server = await serve(
      withReadFile(() => {
        throw new Error("a defect");
      }),
    );
    const call = open(server);
    call.resume();
    assert.equal((await failureOf(call)).code, Code.INTERNAL);
  });
});

describe("a unary call", () => {
  test("a handler that rejects answers its client", async () => {
    await using server = await serve(withReadFile(async function* () {}));
    const { path, requestSerialize, responseDeserialize } = methodDefinition(method.getImage);
    const { promise, resolve } = Promise.withResolvers<ServiceError | null>();
    const message = create(method.getImage.input, {});
    server.client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, (error) =>
      resolve(error),
    );
    const error = await promise;
    assert.ok(error);
    assert.equal(fromServiceError(error, "call").reason, "IMAGE_UNKNOWN");
  });

  test("a route that is another method's is a defect that shows at the start", () => {
    const routes = { ...unavailable(), getImage: notImplemented(method.deleteImage) };
    assert.throws(() => addService(new Server(), ImageService, routes), /GetImage has no route/);
  });
});
