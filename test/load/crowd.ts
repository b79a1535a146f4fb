import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { DaemonService } from "../../gen/banger/image/v1/daemon_service_pb.ts";
import { ImageService } from "../../gen/banger/image/v1/image_service_pb.ts";
import type { PullEvent } from "../../gen/banger/image/v1/pull_pb.ts";
import { seeded } from "../../bench/images.ts";
import { hasReason, messageOf } from "../../src/base/error.ts";
import { openChannel, type Channel } from "../../src/client/channel.ts";
import { litter } from "../faults/aftermath.ts";
import { buildImage, noise } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { keepCompiled } from "../system/compile-cache.ts";
import { startDaemonProcess, type DaemonProcess } from "../system/daemon-process.ts";
import { tarOf } from "../system/tar-of.ts";

export interface CrowdOptions {
  readonly clients: number;
  readonly images: number;
  /** Of the clients: those that take a while over each event. */
  readonly slowReaders: number;
  /** Pulls that somebody cancels, spread over the time. */
  readonly cancels: number;
  readonly durationMs: number;
}

export interface CrowdReport {
  readonly published: number;
  readonly alreadyThere: number;
  readonly cancelled: number;
  /** Pulls that were refused for being too many, and tried again. */
  readonly refused: number;
  /** Failures that nobody asked for, and streams that missed a milestone. */
  readonly complaints: readonly string[];
  /** Of the daemon, in MiB: after the first ten seconds, and the most. */
  readonly earlyMiB: number;
  readonly peakMiB: number;
  /** How often the registry was asked for a layer, and how many there are. */
  readonly layerRequests: number;
  readonly layers: number;
}

/** The milestones of a pull with this many layers: what every watcher must see, each once. */
function expectedMilestones(layers: number): readonly string[] {
  const perLayer = ["layerFetched", "layerScanned"].flatMap((kind) =>
    Array.from({ length: layers }, () => kind),
  );
  const single = [
    "resolved",
    "kernelResolved",
    "flattened",
    "ext4Built",
    "ownershipApplied",
    "agentsInjected",
  ];
  return [...perLayer, ...single, "verified", "bootArtifactsStaged", "published"].toSorted();
}

const progress = new Set(["waiting", "layerProgress", "retrying", "stageProgress"]);

/** What is wrong with the events of a pull that ended well. */
export function missed(events: readonly PullEvent[]): string | undefined {
  const kinds = events.map(({ event }) => event.case ?? "").filter((kind) => !progress.has(kind));
  const last = events.at(-1)?.event;
  if (last?.case !== "published") return `the last event is ${last?.case ?? "none"}`;
  const resolved = events.find(({ event }) => event.case === "resolved")?.event;
  const layers = resolved?.case === "resolved" ? resolved.value.layers.length : 0;
  const expected = last.value.alreadyPresent ? ["published", "resolved"] : expectedMilestones(layers);
  const got = kinds.toSorted();
  if (got.join() !== expected.join()) return `saw ${got.join(" ")} instead of ${expected.join(" ")}`;
  const inOrder = events.every(({ sequence }, at) => at === 0 || sequence > (events[at - 1]?.sequence ?? 0n));
  return inOrder ? undefined : "the events came out of order";
}

const never = new AbortController().signal;

/** Lets a crowd pull, remove, dawdle and cancel at one daemon, and judges what came of it. */
export async function runCrowd(options: CrowdOptions): Promise<CrowdReport> {
  // Its memory is bounded as that of a daemon that is installed, whose threads have no types to strip.
  keepCompiled();
  await using registry = await FakeRegistry.start();
  const offer = await offerImages(registry, options.images);
  await using daemon = await startDaemonProcess();
  const crowd = new Crowd(options, offer.references, daemon);
  const memory = crowd.watchMemory();
  await Promise.all([
    ...Array.from({ length: options.clients }, (_, at) => crowd.client(at)),
    crowd.canceller(),
  ]);
  const { earlyMiB, peakMiB } = await memory;
  using channel = openChannel(daemon.home.socket);
  for (const until = Date.now() + 15_000; Date.now() < until; await sleep(100)) {
    const { activePullCount } = await channel.unary(DaemonService.method.getDaemonStatus, {}, never);
    if (activePullCount === 0n) break;
  }
  crowd.complaints.push(...(await litter(daemon.home, channel)));
  const { published, alreadyThere, cancelled, refused, complaints } = crowd;
  const asked = registry.asked(/\/blobs\//).map(({ path }) => path.slice(path.lastIndexOf("/") + 1));
  const layerRequests = asked.filter((digest) => offer.layers.has(digest)).length;
  return {
    published,
    alreadyThere,
    cancelled,
    refused,
    complaints,
    earlyMiB,
    peakMiB,
    layerRequests,
    layers: offer.layers.size,
  };
}

class Crowd {
  published = 0;
  alreadyThere = 0;
  cancelled = 0;
  refused = 0;
  readonly complaints: string[] = [];
  readonly #options: CrowdOptions;
  readonly #references: readonly string[];
  readonly #daemon: DaemonProcess;
  readonly #until: number;

  constructor(options: CrowdOptions, references: readonly string[], daemon: DaemonProcess) {
    this.#options = options;
    this.#references = references;
    this.#daemon = daemon;
    this.#until = Date.now() + options.durationMs;
  }

  /** One client with a connection of its own: pulls one image after the other, and now and then removes what it got. */
  async client(at: number): Promise<void> {
    const random = seeded(at + 1);
    using channel = openChannel(this.#daemon.home.socket);
    const pauseMs = at < this.#options.slowReaders ? 500 : 0;
    while (Date.now() < this.#until) {
      const reference = this.#references[Math.floor(random() * this.#references.length)] ?? "";
      const id = await this.#pull(channel, reference, pauseMs);
      if (id !== undefined && random() < 0.2) await this.#remove(channel, id);
    }
  }

  async #pull(channel: Channel, reference: string, pauseMs: number): Promise<string | undefined> {
    const events: PullEvent[] = [];
    const request = { reference, options: { noAgents: true, platform: "linux/amd64" } };
    try {
      for await (const { event } of channel.stream(ImageService.method.pullImage, request, never)) {
        if (event !== undefined) events.push(event);
        if (pauseMs > 0) await sleep(pauseMs);
      }
    } catch (error) {
      return this.#failed(error);
    }
    const problem = missed(events);
    if (problem !== undefined) this.complaints.push(`${reference}: ${problem}`);
    const last = events.at(-1)?.event;
    if (last?.case !== "published") return undefined;
    if (last.value.alreadyPresent) this.alreadyThere++;
    else this.published++;
    return last.value.image?.id;
  }

  async #failed(error: unknown): Promise<undefined> {
    if (hasReason(error, "CANCELLED")) this.cancelled++;
    // One client's removal and another's answer from the store may meet.
    else if (hasReason(error, "IMAGE_UNKNOWN")) this.refused++;
    else if (hasReason(error, "TOO_MANY_PULLS", "TOO_MANY_STREAMS")) {
      this.refused++;
      await sleep(200);
    } else this.complaints.push(messageOf(error));
  }

  async #remove(channel: Channel, image: string): Promise<void> {
    try {
      await channel.unary(ImageService.method.deleteImage, { image }, never);
    } catch (error) {
      // Somebody else was first.
      if (!hasReason(error, "IMAGE_UNKNOWN")) this.complaints.push(messageOf(error));
    }
  }

  /** Cancels whatever runs, at even distances. */
  async canceller(): Promise<void> {
    using channel = openChannel(this.#daemon.home.socket);
    for (let done = 0; done < this.#options.cancels && Date.now() < this.#until;) {
      await sleep(this.#options.durationMs / (this.#options.cancels + 1));
      const { pulls } = await channel.unary(ImageService.method.listPulls, { activeOnly: true }, never);
      const [victim] = pulls;
      if (victim === undefined) continue;
      try {
        await channel.unary(ImageService.method.cancelPull, { pullId: victim.id }, never);
        done++;
      } catch (error) {
        // It ended by itself in between.
        if (!hasReason(error, "PULL_UNKNOWN")) this.complaints.push(messageOf(error));
      }
    }
  }

  async watchMemory(): Promise<{ earlyMiB: number; peakMiB: number }> {
    let [earlyMiB, peakMiB] = [0, 0];
    const start = Date.now();
    while (Date.now() < this.#until) {
      const rss = residentMiB(this.#daemon.child.pid ?? 0);
      peakMiB = Math.max(peakMiB, rss);
      if (Date.now() - start < 10_000) earlyMiB = Math.max(earlyMiB, rss);
      await sleep(200);
    }
    return { earlyMiB, peakMiB };
  }
}

function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  return Math.round(Number(kib) / 1024);
}

/** Images of three layers: one that all have, one that each ten have, and one of its own. */
async function offerImages(
  registry: FakeRegistry,
  count: number,
): Promise<{ references: readonly string[]; layers: ReadonlySet<string> }> {
  const references: string[] = [];
  const layers = new Set<string>();
  for (let at = 0; at < count; at++) {
    const contents = await Promise.all([
      layer("base", 1, 120),
      layer("middle", 2 + Math.floor(at / 10), 60),
      layer("own", 1000 + at, 30),
    ]);
    const image = buildImage({ layers: contents });
    // The first is the config.
    for (const { digest } of image.blobs.slice(1)) layers.add(digest);
    registry.add(`crowd/image-${at}`, "1", image);
    references.push(`${registry.host}/crowd/image-${at}:1`);
  }
  return { references, layers };
}

function layer(name: string, seed: number, files: number): Promise<Buffer> {
  return tarOf((put) => {
    put({ name, type: "directory", mode: 0o755 });
    for (let at = 0; at < files; at++)
      put({ name: `${name}/file-${at}`, mode: 0o644 }, noise(6000, seed * 1000 + at));
  });
}
