import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import {
  Server,
  status,
  type MethodDefinition,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { CallMetrics } from "../../../src/service/metrics/call-metrics.ts";
import { renderMetrics } from "../../../src/service/metrics/exposition.ts";
import { serve, type TestServer } from "../grpc-server.ts";

/** A clock that stands still but for what the server's parts say that they took. */
let now = 1000;
const encodingMs = 2;

const bytes = (value: Buffer): Buffer => value;
const encoded = (value: Buffer): Buffer => {
  now += encodingMs;
  return value;
};

function definition(name: string, responseStream: boolean): MethodDefinition<Buffer, Buffer> {
  return {
    path: `/a.b.Things/${name}`,
    requestStream: false,
    responseStream,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: encoded,
    responseDeserialize: bytes,
  };
}

const get = definition("Get", false);
const watch = definition("Watch", true);

interface Handlers {
  readonly get?: (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => void;
  readonly watch?: (call: ServerWritableStream<Buffer, Buffer>) => void;
}

function serveMeasured(metrics: CallMetrics, { get: onGet, watch: onWatch }: Handlers): Promise<TestServer> {
  const unused = (): void => {
    throw new Error("not to be called");
  };
  return serve(
    (server) => server.addService({ get, watch }, { get: onGet ?? unused, watch: onWatch ?? unused }),
    new Server({ interceptors: [metrics.interceptor] }),
  );
}

const measuring = (): CallMetrics => new CallMetrics(() => now);
const noBytes = Buffer.alloc(0);

function callGet({ client }: TestServer, deadline = Infinity): Promise<ServiceError | undefined> {
  const { promise, resolve } = Promise.withResolvers<ServiceError | undefined>();
  client.makeUnaryRequest(get.path, bytes, bytes, noBytes, { deadline }, (error) =>
    resolve(error ?? undefined),
  );
  return promise;
}

const linesOf = (metrics: CallMetrics): readonly string[] =>
  renderMetrics(metrics.metrics())
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));

/** Lines of one method's figures with that ending, without what all have. */
function counted(metrics: CallMetrics, name: string, code: keyof typeof status): readonly string[] {
  const labels = `service="a.b.Things",method="${name}",code="${code}"`;
  return linesOf(metrics)
    .filter((line) => line.includes(labels))
    .map((line) => line.replace(`${labels},`, "").replace(`{${labels}}`, ""));
}

/** Until a call has been counted, which may be a moment after its client knows. */
async function counts(metrics: CallMetrics, name: string, code: keyof typeof status): Promise<void> {
  while (counted(metrics, name, code).length === 0) await new Promise((resolve) => setImmediate(resolve));
}

test("a call lasts from its arrival until its answer is encoded, and is in the buckets that this fits", async () => {
  const metrics = measuring();
  await using server = await serveMeasured(metrics, {
    get: (_call, answer) => {
      now += 7;
      answer(null, noBytes);
    },
  });
  assert.deepEqual(linesOf(metrics), []);
  assert.equal(await callGet(server), undefined);
  const lines = counted(metrics, "Get", "OK");
  const bucket = (le: string): string | undefined =>
    lines.find((line) => line.startsWith(`banger_call_duration_seconds_bucket{le="${le}"}`))?.split(" ")[1];
  assert.deepEqual(["0.005", "0.01", "0.025", "+Inf"].map(bucket), ["0", "1", "1", "1"]);
  assert.ok(lines.includes("banger_call_duration_seconds_sum 0.009"), lines.join("\n"));
  assert.ok(lines.includes("banger_call_duration_seconds_count 1"));
});

test("a call that fails counts under its code, and once", async () => {
  const metrics = measuring();
  await using server = await serveMeasured(metrics, {
    get: (_call, answer) => answer({ code: status.NOT_FOUND, details: "none" }),
  });
  for (let at = 0; at < 3; at++) assert.equal((await callGet(server))?.code, status.NOT_FOUND);
  assert.ok(counted(metrics, "Get", "NOT_FOUND").includes("banger_call_duration_seconds_count 3"));
  assert.deepEqual(counted(metrics, "Get", "CANCELLED"), []);
});

test("a client that leaves, and a deadline that passes, are told apart", async () => {
  const metrics = measuring();
  let arrived = Promise.withResolvers<void>();
  await using server = await serveMeasured(metrics, { get: () => arrived.resolve() });
  assert.equal((await callGet(server, Date.now() + 50))?.code, status.DEADLINE_EXCEEDED);
  await counts(metrics, "Get", "DEADLINE_EXCEEDED");
  arrived = Promise.withResolvers();
  const call = server.client.makeUnaryRequest(get.path, bytes, bytes, noBytes, () => {});
  await arrived.promise;
  call.cancel();
  await counts(metrics, "Get", "CANCELLED");
});

test("a stream is counted once it has ended, and its length is nobody's figure", async () => {
  const metrics = measuring();
  await using server = await serveMeasured(metrics, {
    watch: (call) => {
      call.write(noBytes);
      call.write(noBytes);
      now += 60_000;
      call.end();
    },
  });
  const call = server.client.makeServerStreamRequest(watch.path, bytes, bytes, noBytes);
  call.resume();
  await once(call, "end");
  await counts(metrics, "Watch", "OK");
  assert.deepEqual(linesOf(metrics), [
    'banger_streams_total{service="a.b.Things",method="Watch",code="OK"} 1',
  ]);
});
