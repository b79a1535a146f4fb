import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DaemonService } from "../../gen/banger/image/v1/daemon_service_pb.ts";
import { ImageService } from "../../gen/banger/image/v1/image_service_pb.ts";
import { seeded } from "../../bench/images.ts";
import { BangerError, hasReason, messageOf } from "../../src/base/error.ts";
import { openChannel, type Channel } from "../../src/client/channel.ts";
import { buildImage, noise } from "../fakes/registry/images.ts";
import { FakeRegistry } from "../fakes/registry/registry.ts";
import { leftAtRest } from "../system/at-rest.ts";
import {
  makeDaemonHome,
  startDaemonProcess,
  type DaemonHome,
  type DaemonProcess,
} from "../system/daemon-process.ts";
import { tarOf } from "../system/tar-of.ts";
import { litter, openFiles, processesWith } from "./aftermath.ts";
import { buildShim, FaultyDisk } from "./faulty-disk.ts";
import { describeScenario, scenarioOf, troubleClass, type Calls, type Scenario } from "./scenario.ts";

/** How one run went. */
export interface RunReport {
  readonly scenario: Scenario;
  /** `published`, `removed`, `killed`, or the reason of the error. */
  readonly outcome: string;
  /** Whether what was to go wrong did: a fault may be armed for a call that never comes. */
  readonly struck: boolean;
  /** What it left behind; empty where all is well. */
  readonly findings: readonly string[];
}

/** Runs that share a home, so that images of earlier ones are there to be spoilt. */
const runsAHome = 12;

const never = new AbortController().signal;

/** Runs the seeds from `first` on, one after the other, and tells of each. */
export async function* runCampaign(first: number, count: number): AsyncGenerator<RunReport> {
  const folder = mkdtempSync(join(tmpdir(), "banger-faults-"));
  try {
    const shim = buildShim(folder);
    await using registry = await FakeRegistry.start();
    for (let done = 0; done < count; done += runsAHome) {
      await using home = await makeDaemonHome();
      using disk = new FaultyDisk(shim, folder, home.folder);
      const lane = new Lane(home, disk, registry);
      await lane.calibrate(first + done);
      for (let at = done; at < Math.min(count, done + runsAHome); at++) yield await lane.run(first + at);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One home, and what happens to it. */
class Lane {
  readonly #home: DaemonHome;
  readonly #disk: FaultyDisk;
  readonly #registry: FakeRegistry;
  #calls: Calls = { changes: 1, reads: 1 };

  constructor(home: DaemonHome, disk: FaultyDisk, registry: FakeRegistry) {
    this.#home = home;
    this.#disk = disk;
    this.#registry = registry;
  }

  /** Counts what an undisturbed pull does to the disk. */
  async calibrate(seed: number): Promise<void> {
    const reference = await this.#offer(seed * 1_000_003);
    await using daemon = await this.#start(`calibrate-${seed}`, true);
    using channel = openChannel(this.#home.socket);
    const before = { changes: this.#disk.changes, reads: this.#disk.reads };
    await pull(channel, reference, never);
    this.#calls = { changes: this.#disk.changes - before.changes, reads: this.#disk.reads - before.reads };
    await daemon.stop();
  }

  async run(seed: number): Promise<RunReport> {
    const scenario = scenarioOf(seed, seeded(seed), this.#calls);
    const marker = `banger-run-${process.pid}-${seed}`;
    const reference = await this.#offer(seed);
    const { outcome, struck, findings } = await this.#disturb(scenario, marker, reference);
    await gone(marker, findings);
    if (scenario.killedAgainAt > 0) await this.#killWhileMending(scenario, marker);
    await this.#inspect(marker, reference, findings);
    await gone(marker, findings);
    return { scenario, outcome, struck, findings };
  }

  /** A daemon on a faulty disk works until it has failed, finished or died. */
  async #disturb(
    { trouble, work, end }: Scenario,
    marker: string,
    reference: string,
  ): Promise<{ outcome: string; struck: boolean; findings: string[] }> {
    const findings: string[] = [];
    const daemon = await this.#start(marker, true);
    const pid = daemon.child.pid ?? 0;
    const atRest = openFiles(pid, this.#home);
    using channel = openChannel(this.#home.socket);
    const victim = work === "remove" ? await anyImage(channel) : undefined;
    const client = new AbortController();
    const path = new RegExp(`/v2/${repositoryOf(reference)}/`);
    if (trouble.kind === "disk") this.#disk.arm(trouble.fault, pid);
    if (trouble.kind === "registry") this.#registry.fault({ path, times: trouble.times }, trouble.fault);
    const leaves = trouble.kind === "client" ? trouble.leavesAfter : Number.POSITIVE_INFINITY;
    const outcome = await (
      victim === undefined
        ? pull(channel, reference, client.signal, (events) => events >= leaves && client.abort())
        : remove(channel, victim)
    ).catch((error: unknown) => {
      // Whatever a disk or a registry does has a reason of its own.
      if (hasReason(error, "INTERNAL")) findings.push(`an internal error: ${error.message}`);
      return error instanceof BangerError ? error.reason : messageOf(error);
    });
    const struck = trouble.kind === "disk" ? this.#disk.struck > 0 : true;
    this.#disk.disarm();
    this.#registry.behave();
    const died = await exits(
      daemon,
      trouble.kind === "disk" && trouble.fault.how === "kill" && struck ? 5000 : 0,
    );
    if (!died) {
      await idle(channel, findings);
      const left = openFiles(pid, this.#home).filter((name) => !atRest.includes(name));
      findings.push(...left.map((name) => `still open: ${name}`));
      const children = processesWith(`FAULT_RUN=${marker}`).filter((one) => !one.startsWith(`${pid} `));
      findings.push(...children.map((name) => `still running: ${name}`));
      if (end === "kill") await daemon.kill();
      else if ((await daemon.stop()) !== 0) findings.push(`the daemon did not stop well:\n${daemon.log()}`);
    } else if (daemon.child.signalCode !== "SIGKILL") {
      findings.push(`the daemon died: ${daemon.child.signalCode ?? daemon.child.exitCode}\n${daemon.log()}`);
    }
    return { outcome: died ? "killed" : outcome, struck, findings };
  }

  /** A second kill, while the first one is being put right. */
  async #killWhileMending({ killedAgainAt }: Scenario, marker: string): Promise<void> {
    this.#disk.arm({ on: "change", call: killedAgainAt, how: "kill", lasting: false }, 0);
    try {
      const daemon = await this.#start(marker, true);
      await daemon.kill();
    } catch {
      // It died before it answered, which is what was wanted.
    }
    this.#disk.disarm();
  }

  /** A daemon on an honest disk finds all well, and can do what was to be done. */
  async #inspect(marker: string, reference: string, findings: string[]): Promise<void> {
    const daemon = await this.#start(marker, false).catch((error: unknown) => {
      findings.push(`the next daemon does not start: ${messageOf(error)}`);
    });
    if (daemon === undefined) return;
    using channel = openChannel(this.#home.socket);
    try {
      findings.push(...(await leftAtRest(() => litter(this.#home, channel))));
      const outcome = await pull(channel, reference, never);
      if (outcome !== "published") findings.push(`the pull ended with ${outcome}`);
      findings.push(...(await leftAtRest(() => litter(this.#home, channel))));
    } catch (error) {
      findings.push(`after the restart: ${messageOf(error)}`);
    }
    if ((await daemon.stop()) !== 0) findings.push("the next daemon did not stop well");
  }

  #start(marker: string, faulty: boolean): Promise<DaemonProcess> {
    const env = { FAULT_RUN: marker, ...(faulty ? this.#disk.env : {}) };
    return startDaemonProcess({ home: this.#home, env });
  }

  /** Puts a small image of its own into the registry; one layer is the same in all. */
  async #offer(seed: number): Promise<string> {
    const own = await tarOf((put) => {
      put({ name: "opt", type: "directory", mode: 0o755 });
      for (let at = 0; at < 20; at++)
        put({ name: `opt/file-${at}`, mode: 0o640, uid: at }, noise(3000, seed + at));
      put({ name: "opt/link", type: "symlink", linkname: "file-1" });
      put({ name: "opt/hard", type: "link", linkname: "opt/file-2" });
    });
    const repository = `faults/r${seed}`;
    this.#registry.add(repository, "1", buildImage({ layers: [await sharedLayer, own] }));
    return `${this.#registry.host}/${repository}:1`;
  }
}

const sharedLayer = tarOf((put) => {
  for (const name of ["etc", "dev", "usr", "usr/bin", "sbin"]) put({ name, type: "directory", mode: 0o755 });
  put({ name: "sbin/init", mode: 0o755 }, "#!/bin/sh\n");
  put({ name: "dev/null", type: "character-device", devmajor: 1, devminor: 3 });
  for (let at = 0; at < 60; at++)
    put({ name: `usr/bin/tool-${at}`, mode: 0o4755 }, noise(2000 + at * 40, at + 1));
  put({ name: "etc/labelled", pax: { "SCHILY.xattr.user.comment": "kept" } }, "x");
});

function repositoryOf(reference: string): string {
  return /^[^/]+\/(.*):1$/.exec(reference)?.[1] ?? "";
}

/** How a pull ended. */
async function pull(
  channel: Channel,
  reference: string,
  signal: AbortSignal,
  onEvent: (count: number) => void = () => {},
): Promise<string> {
  let last = "";
  let count = 0;
  const request = { reference, options: { noAgents: true, platform: "linux/amd64" } };
  for await (const { event } of channel.stream(ImageService.method.pullImage, request, signal)) {
    last = event?.event.case ?? "";
    onEvent(++count);
  }
  return last;
}

async function remove(channel: Channel, image: string): Promise<string> {
  await channel.unary(ImageService.method.deleteImage, { image }, never);
  return "removed";
}

async function anyImage(channel: Channel): Promise<string | undefined> {
  const { images } = await channel.unary(ImageService.method.listImages, { includeNameless: true }, never);
  return images[0]?.id;
}

/** Whether the daemon has died, or does within that time. */
async function exits({ child }: DaemonProcess, withinMs: number): Promise<boolean> {
  for (const until = Date.now() + withinMs; ; await sleep(20)) {
    if (child.exitCode !== null || child.signalCode !== null) return true;
    if (Date.now() >= until) return false;
  }
}

async function idle(channel: Channel, findings: string[]): Promise<void> {
  const active = await leftAtRest(async () => {
    const status = await channel.unary(DaemonService.method.getDaemonStatus, {}, never);
    return status.activePullCount === 0n ? [] : ["a pull does not end"];
  });
  findings.push(...active);
}

async function gone(marker: string, findings: string[]): Promise<void> {
  findings.push(
    ...(await leftAtRest(() => processesWith(`FAULT_RUN=${marker}`))).map(
      (name) => `outlived the daemon: ${name}`,
    ),
  );
}

/** The figures of a campaign, for people. */
export function campaignFigures(reports: readonly RunReport[]): readonly string[] {
  const classes = Map.groupBy(reports, ({ scenario }) => troubleClass(scenario.trouble));
  const rows = [...classes]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, runs]) => {
      const outcomes = Map.groupBy(runs, ({ outcome }) => outcome);
      const ended = [...outcomes].map(([outcome, all]) => `${outcome} ${all.length}`).join(", ");
      return `${name}: ${runs.length} runs, ${runs.filter(({ struck }) => struck).length} struck; ${ended}`;
    });
  const bad = reports.filter(({ findings }) => findings.length > 0);
  return [
    ...rows,
    `${reports.length} runs, ${bad.length} that left something`,
    ...bad.flatMap(({ scenario, outcome, findings }) =>
      [`${describeScenario(scenario)} (${outcome})`].concat(findings.map((finding) => `  ${finding}`)),
    ),
  ];
}
