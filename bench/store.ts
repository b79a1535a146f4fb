import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  create,
  fromBinary,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { ImageOrder, ImageService } from "../gen/banger/image/v1/image_service_pb.ts";
import { keepYoungHeapSmall } from "../src/base/heap.ts";
import { openChannel } from "../src/client/channel.ts";
import { imagePaths, markerName } from "../src/images/layout.ts";
import { methodDefinition, type Method } from "../src/service/definition.ts";
import { openStore } from "../src/store/store.ts";
import { seedStore } from "../test/store/seed.ts";
import { keepCompiled } from "../test/system/compile-cache.ts";
import { makeDaemonHome, startDaemonProcess } from "../test/system/daemon-process.ts";
import { callDurations, durationText, durationsSince } from "./call-durations.ts";

/**
 * `npm run bench -- store [IMAGES [CALLS]]`: a daemon with 10,000 images. How long it takes to start, recovery of every folder
 * included, and how long a client waits for the bytes of a page, an image and a new name, over the socket. On a busy
 * machine most of that is waiting for a processor: what the daemon computes is told beside it, and below it how long the
 * daemon says that it took, from a call's arrival until its answer was encoded. The daemon finds its types stripped
 * already, as one that is installed does.
 */
const count = Number(process.argv[3] ?? 10_000);
const calls = Number(process.argv[4] ?? 2000);
/** Calls of each kind before those that count: V8 interprets what it has not seen often. The longest of them is told. */
const firstCalls = 200;
const { method } = ImageService;
const never = new AbortController().signal;

// Before it grows: a client is another program, and its garbage no figure of the daemon's.
keepYoungHeapSmall();
keepCompiled();

await using home = await makeDaemonHome();
const metricsSocket = join(home.folder, "metrics.sock");
const env = { BANGER_CONFIG: join(home.folder, "config.toml") };
writeFileSync(env.BANGER_CONFIG, `[metrics]\nlisten = "${metricsSocket}"\n`);
const database = join(home.state, "banger.db");
await (await openStore(database))[Symbol.asyncDispose]();
const ids = seedStore(database, count);
for (const id of ids) {
  const { dir, rootfs } = imagePaths(home.state, id);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(rootfs, "");
}
writeFileSync(join(home.state, "images", markerName), "");

const starts: number[] = [];
let startMs = 0;
for (let round = 0; round < 5; round++) {
  const begin = performance.now();
  await using daemon = await startDaemonProcess({ home, env });
  using channel = openChannel(home.socket);
  await channel.unary(method.getImage, { image: ids[0] ?? "" }, never);
  starts.push(performance.now() - begin);
  startMs += computedMs(daemon.child.pid) / 5;
}
line("start to first answer", starts, startMs);

await using daemon = await startDaemonProcess({ home, env });
const { pid } = daemon.child;
const client = new Client(`unix:${home.socket}`, credentials.createInsecure());
const anyId = (at: number): string => ids[(at * 7919) % ids.length] ?? "";
for (const [name, order] of [
  ["name", ImageOrder.NAME],
  ["age", ImageOrder.NEWEST_FIRST],
  ["size", ImageOrder.LARGEST_FIRST],
] as const) {
  await measure(`list 100, by ${name}, page after page`, method.listImages, (_at, last) => ({
    pageSize: 100,
    order,
    pageToken: last?.nextPageToken ?? "",
  }));
}
await measure("get by id", method.getImage, (at) => ({ image: anyId(at) }));
await measure("rename", method.renameImage, (at) => ({ image: anyId(at), newName: `renamed-${at}` }));
client.close();
measureMachine();

/**
 * What the machine itself does to work as long as a page: a loop that leaves nothing behind and asks nobody, as often as
 * there are calls. What is late here is late there, whatever the daemon does.
 */
function measureMachine(): void {
  const workMs = 3.5;
  let sum = 0;
  const spin = (count: number): number => {
    const begin = performance.now();
    for (let i = 0; i < count; i++) sum = (sum * 31 + i) | 0;
    return performance.now() - begin;
  };
  const probe = 10_000_000;
  const shortest = Math.min(...Array.from({ length: 9 }, () => spin(probe)));
  const times = Array.from({ length: calls }, () => spin(Math.round((probe * workMs) / shortest)));
  line(`the machine, ${workMs} ms of work`, times, workMs);
  const within = times.filter((time) => time <= 10).length / times.length;
  console.log(`${"  the same".padEnd(36)} in 10 ms  ${(100 * within).toFixed(2)} %`);
}

/** One call after the other; an answer is decoded once its time has been taken. */
async function measure<I extends DescMessage, O extends DescMessage>(
  name: string,
  method: Method<"unary", I, O>,
  request: (at: number, last: MessageShape<O> | undefined) => MessageInitShape<I>,
): Promise<void> {
  let last: MessageShape<O> | undefined;
  const run = async (first: number, count: number): Promise<readonly number[]> => {
    const times: number[] = [];
    for (let at = first; at < first + count; at++) {
      const message = create(method.input, request(at, last));
      const begin = performance.now();
      const bytes = await answerTo(method, message);
      times.push(performance.now() - begin);
      last = fromBinary(method.output, bytes);
    }
    return times;
  };
  const longestFirst = Math.max(...(await run(0, firstCalls)));
  const durations = await callDurations(metricsSocket, method.name);
  const before = computedMs(pid);
  const times = await run(firstCalls, calls);
  line(name, times, (computedMs(pid) - before) / calls);
  console.log(
    `${`  the first ${firstCalls} calls`.padEnd(36)} most ${longestFirst.toFixed(2).padStart(9)} ms`,
  );
  const since = durationsSince(durations, await callDurations(metricsSocket, method.name));
  console.log(`${"  in the daemon".padEnd(36)} ${durationText(since)}`);
}

function answerTo<I extends DescMessage, O extends DescMessage>(
  method: Method<"unary", I, O>,
  message: MessageShape<I>,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const { path, requestSerialize } = methodDefinition(method);
  client.makeUnaryRequest(
    path,
    requestSerialize,
    (bytes) => bytes,
    message,
    (error, bytes) => (bytes === undefined ? reject(error) : resolve(bytes)),
  );
  return promise;
}

/** Processor time of a process so far, all threads: fields 14 and 15 of proc_pid_stat(5), in hundredths of a second. */
function computedMs(process: number | undefined): number {
  const stat = readFileSync(`/proc/${process}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function line(name: string, times: readonly number[], computed: number): void {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0).toFixed(2).padStart(9);
  console.log(
    `${name.padEnd(36)} p50 ${at(0.5)} ms   p99 ${at(0.99)} ms   most ${at(1)} ms   computed ${computed.toFixed(2)} ms`,
  );
}
