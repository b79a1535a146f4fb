import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { create, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { status as Code, type ClientReadableStream, type ServiceError } from "@grpc/grpc-js";
import { DaemonService } from "../../gen/banger/image/v1/daemon_service_pb.ts";
import { ImageService } from "../../gen/banger/image/v1/image_service_pb.ts";
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
  type HealthCheckResponse,
} from "../../gen/grpc/health/v1/health_pb.ts";
import {
  ServerReflection as V1,
  ServerReflectionRequestSchema,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as V1Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { run, type RunResult } from "../../src/base/exec.ts";
import { ClientBounds } from "../../src/service/client-bounds.ts";
import { methodDefinition } from "../../src/service/definition.ts";
import { addHealth, type HealthService } from "../../src/service/health.ts";
import { addReflection } from "../../src/service/reflection.ts";
import { serve, type TestServer } from "./grpc-server.ts";

type Question = ServerReflectionRequest["messageRequest"];

let server: TestServer;
let health: HealthService;
before(async () => {
  server = await serve((grpc) => {
    addReflection(grpc, [ImageService, DaemonService, Health]);
    health = addHealth(grpc, [ImageService.typeName]);
  });
});
after(() => server[Symbol.asyncDispose]());

function bufCurl(...args: readonly string[]): Promise<RunResult> {
  const transport = ["--protocol", "grpc", "--unix-socket", server.socketPath, "--http2-prior-knowledge"];
  const buf = join(import.meta.dirname, "../../node_modules/.bin/buf");
  return run(process.execPath, [buf, "curl", ...transport, ...args], {
    op: "buf curl",
    signal: AbortSignal.timeout(30_000),
    timeoutMs: 30_000,
    maxOutputBytes: 1 << 20,
    env: { HOME: server.folder },
  });
}

describe("reflection", () => {
  test("a foreign client lists services and methods", async () => {
    const services = await bufCurl("--list-services", "http://localhost");
    assert.equal(services.exitCode, 0, services.stderr.toString());
    assert.deepEqual(services.stdout.toString().trim().split("\n"), [
      "banger.image.v1.DaemonService",
      "banger.image.v1.ImageService",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
    ]);
    const methods = await bufCurl("--list-methods", "http://localhost");
    for (const method of ImageService.methods) {
      assert.ok(
        methods.stdout.toString().includes(`banger.image.v1.ImageService/${method.name}`),
        method.name,
      );
    }
  });

  test("a foreign client calls by what it learnt", async () => {
    health.serve();
    const { stdout, exitCode } = await bufCurl("-d", "{}", "http://localhost/grpc.health.v1.Health/Check");
    assert.equal(exitCode, 0);
    assert.deepEqual(JSON.parse(stdout.toString()), { status: "SERVING" });
    const wrong = await bufCurl("-d", "{}", "http://localhost/grpc.health.v1.Health/NoSuch");
    assert.notEqual(wrong.exitCode, 0);
  });

  // The messages of v1alpha have the same fields, so that v1's types describe both on the wire.
  const versions = { v1: V1, v1alpha: V1Alpha } as const;
  for (const [version, service] of Object.entries(versions)) {
    test(`${version} answers each kind of question`, async () => {
      const { requestSerialize, responseDeserialize } = methodDefinition(V1.method.serverReflectionInfo);
      const path = `/${service.typeName}/ServerReflectionInfo`;
      const call = server.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
      const answers: AsyncIterator<ServerReflectionResponse, undefined> = call.iterator({
        destroyOnReturn: false,
      });
      const ask = async (messageRequest: Question): Promise<ServerReflectionResponse> => {
        call.write(create(ServerReflectionRequestSchema, { host: "h", messageRequest }));
        const { value } = await answers.next();
        return value ?? assert.fail("the stream ended");
      };
      const files = async (
        kind: "fileContainingSymbol" | "fileByFilename",
        value: string,
      ): Promise<string[]> => {
        const { messageResponse } = await ask({ case: kind, value });
        assert.ok(messageResponse.case === "fileDescriptorResponse", value);
        const { fileDescriptorProto } = messageResponse.value;
        return fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
      };
      const image = "banger/image/v1/image_service.proto";
      for (const symbol of [
        "banger.image.v1.ImageService",
        "banger.image.v1.ImageService.PullImage",
        "banger.image.v1.PullImageRequest",
      ]) {
        const names = await files("fileContainingSymbol", symbol);
        assert.equal(names[0], image);
        assert.ok(names.includes("google/protobuf/timestamp.proto"));
      }
      assert.equal((await files("fileByFilename", image))[0], image);
      const nested = await files("fileContainingSymbol", "grpc.health.v1.HealthCheckResponse.ServingStatus");
      assert.deepEqual(nested, ["grpc/health/v1/health.proto"]);
      // What every error carries, and no service names.
      const details = await files("fileContainingSymbol", "google.rpc.ErrorInfo");
      assert.deepEqual(details, ["google/rpc/error_details.proto", "google/protobuf/duration.proto"]);

      for (const kind of ["fileContainingSymbol", "fileByFilename", "allExtensionNumbersOfType"] as const) {
        const { messageResponse } = await ask({ case: kind, value: "no.such.Thing" });
        assert.ok(messageResponse.case === "errorResponse");
        assert.equal(messageResponse.value.errorCode, Code.NOT_FOUND);
      }
      const list = await ask({ case: "listServices", value: "" });
      assert.equal(list.validHost, "h");
      assert.ok(list.messageResponse.case === "listServicesResponse");
      assert.equal(list.messageResponse.value.service.length, 5);
      call.end();
      assert.equal((await answers.next()).done, true);
    });
  }
});

describe("health", () => {
  async function check(service: string): Promise<HealthCheckResponse | ServiceError> {
    const { path, requestSerialize, responseDeserialize } = methodDefinition(Health.method.check);
    const { promise, resolve } = Promise.withResolvers<HealthCheckResponse | ServiceError>();
    const request = create(HealthCheckRequestSchema, { service });
    server.client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, answer) =>
      resolve(answer ?? error ?? assert.fail()),
    );
    return promise;
  }

  function watch(service: string): ClientReadableStream<HealthCheckResponse> {
    const { path, requestSerialize, responseDeserialize } = methodDefinition(Health.method.watch);
    const request = create(HealthCheckRequestSchema, { service });
    return server.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
  }

  test("a service that is not there is NOT_FOUND", async () => {
    const answer = await check("no.such.Service");
    assert.ok(answer instanceof Error);
    assert.equal(answer.code, Code.NOT_FOUND);
  });

  test("watchers hear of the stop, and their streams end", async () => {
    health.serve();
    const known = watch(ImageService.typeName);
    const unknown = watch("no.such.Service");
    const told: ServingStatus[] = [];
    known.on("data", ({ status }: HealthCheckResponse) => told.push(status));
    const [strange] = await once(unknown, "data");
    assert.equal(strange.status, ServingStatus.SERVICE_UNKNOWN);
    if (told.length === 0) await once(known, "data");
    unknown.resume();
    const ends = Promise.all([once(known, "end"), once(unknown, "end")]);
    health.stop();
    await ends;
    assert.deepEqual(told, [ServingStatus.SERVING, ServingStatus.NOT_SERVING]);
    const answer = await check("");
    assert.ok(!(answer instanceof Error));
    assert.equal(answer.status, ServingStatus.NOT_SERVING);
  });

  test("a watcher that leaves is forgotten", async () => {
    health.serve();
    const call = watch("");
    await once(call, "data");
    const failed = once(call, "error");
    call.cancel();
    const [error] = await failed;
    assert.equal(error.code, Code.CANCELLED);
  });
});

test("streams of reflection and of health count as all others do, until they end", async () => {
  const bounds = new ClientBounds({ streams: 1, clientStreams: 1, clientPulls: 1 });
  await using bounded = await serve((grpc) => {
    addReflection(grpc, [Health], bounds);
    addHealth(grpc, [], bounds).serve();
  });
  const { client } = bounded;
  const watch = (): ClientReadableStream<HealthCheckResponse> => {
    const { path, requestSerialize, responseDeserialize } = methodDefinition(Health.method.watch);
    const request = create(HealthCheckRequestSchema, {});
    return client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
  };
  const ask = () => {
    const { path, requestSerialize, responseDeserialize } = methodDefinition(V1.method.serverReflectionInfo);
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    const request: Question = { case: "listServices", value: "" };
    call.write(create(ServerReflectionRequestSchema, { messageRequest: request }));
    return call;
  };
  const refusal = async (call: ClientReadableStream<unknown>): Promise<number | undefined> => {
    const [error]: ServiceError[] = await once(call, "error");
    return error?.code;
  };
  const watching = watch();
  await once(watching, "data");
  assert.equal(await refusal(watch()), Code.RESOURCE_EXHAUSTED);
  assert.equal(await refusal(ask()), Code.RESOURCE_EXHAUSTED);
  watching.on("error", () => {}).cancel();
  let asking = ask();
  // The daemon hears of the cancel when it does.
  while (
    !(await once(asking, "data").then(
      () => true,
      () => false,
    ))
  )
    asking = ask();
  assert.equal(await refusal(watch()), Code.RESOURCE_EXHAUSTED);
  asking.end();
  await once(asking, "end");
  const again = watch();
  await once(again, "data");
  again.on("error", () => {}).cancel();
});
