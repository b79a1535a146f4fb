import { Server } from "@grpc/grpc-js";
import { asBangerError, messageOf } from "../base/error.ts";
import { recover } from "../images/recover.ts";
import type { Pulls } from "../pull/jobs.ts";
import { giveUpBallast, keepBallast } from "../store/ballast.ts";
import { databasePath } from "../store/layout.ts";
import { lockState } from "../store/lock.ts";
import { openStore, type Store } from "../store/store.ts";
import { addApi } from "./api.ts";
import type { DaemonConfig } from "./config.ts";
import { claimFolder } from "./folders.ts";
import type { HealthService } from "./health.ts";
import { groupNumber } from "./group.ts";
import { listenOn, listenOnInherited, type Listener } from "./listener.ts";
import type { DaemonLogs, Log } from "./log.ts";
import { openShared, type SharedParts } from "./shared.ts";
import type { MetricSources } from "./metrics/daemon-metrics.ts";
import { remembered } from "./metrics/remembered.ts";
import { observe } from "./observe.ts";
import { openPulls, type OpenPulls } from "./pulls.ts";
import { groupAt, groupOf, openToReaders } from "./readers.ts";
import { reloadConfig } from "./reload.ts";
import { checkSocketPath, type SocketAccess } from "./unix-socket.ts";

/** A daemon that serves. Whoever started it stops it. */
export interface Daemon extends AsyncDisposable {
  readonly socketPath: string;
  /** Ids of pulls that a later daemon goes on with: they count as under way, and nothing happens to them here. */
  readonly postponedPulls: ReadonlySet<string>;
  /** Reads the config file again; the log says what came of it. */
  reload(): void;
  /**
   * Cancels every pull, tells every client, and gives everything back: socket, workers, store, lock. Bounded:
   * clients that don't go are cut off. Idempotent. Disposing does the same.
   */
  stop(): Promise<void>;
}

export interface DaemonOptions {
  readonly log: Log;
  /** Where a start tells what it put right; by default in the log. */
  readonly recoveryLog?: Log;
  /** A listening socket to serve on, instead of one of the daemon's own at its path. */
  readonly inheritedFd?: number | undefined;
  /** False leaves detached pulls that were cut off to a daemon that stays. */
  readonly resume?: boolean;
  /** False for a daemon that is gone in a moment, and must not take the address of one that stays. */
  readonly metrics?: boolean;
  /** For tests: what pulls instead. */
  readonly openPulls?: OpenPulls;
}

/** Bytes of one request: the largest have a few paths and credentials. */
const maxRequestBytes = 1024 * 1024;

/** How long clients may take to read their last messages, in milliseconds: systemd waits 90 s, people less. */
const graceMs = 3000;

/** How long cancelled pulls may take to remove what they made, in milliseconds. The next start removes the rest. */
const pullsMs = 15_000;

/**
 * Starts a daemon: takes the state folder's lock, opens the store, puts right what a kill left, and serves. On an
 * error everything is given back. Where the disk is full, it starts with the room that an earlier one kept for that.
 *
 * @throws BangerError STATE_UNSAFE, STATE_LOCKED, STORE_FAILED, SOCKET_INVALID and those of the file system.
 */
export async function startDaemon(config: DaemonConfig, options: DaemonOptions): Promise<Daemon> {
  const { stateDir } = config.paths;
  try {
    return await start(config, options);
  } catch (error) {
    const { reason, message } = asBangerError(error, "start");
    if (reason !== "DISK_FULL" || !(await giveUpBallast(stateDir))) throw error;
    options.log.warn("the disk is full: starting with the room that was kept for that", { error: message });
    return await start(config, options);
  }
}

async function start(config: DaemonConfig, options: DaemonOptions): Promise<Daemon> {
  const { log, recoveryLog: recovery = log, resume = true } = options;
  const { stateDir, cacheDir, socketPath } = config.paths;
  const keepHistoryMs = (): number => config.live.settings.pulls.keepHistoryMs;
  const startedAt = Date.now();
  checkSocketPath(socketPath);
  await using starting = new AsyncDisposableStack();

  await claimFolder(stateDir, "state");
  await claimFolder(cacheDir, "cache");
  await claimFolder(config.tempDir, "temporary");
  const access = await socketAccess(config);
  starting.use(await lockState(stateDir, { pid: process.pid, socketPath }));
  const store = starting.use(await openStore(databasePath(stateDir), { keepHistoryMs }));
  const recovered = await recover(store, stateDir);
  logRecovery({ log, recovery }, recovered, resume);
  const observing = observe(config, { log, access, owned: starting, metrics: options.metrics ?? true });
  const readerGid = options.inheritedFd === undefined ? groupOf(access) : await groupAt(socketPath);
  const shared = await openShared(config, store, starting, { log, recovery }, readerGid);
  const shut = await openToReaders(stateDir, readerGid);
  if (readerGid !== undefined && shut.length > 0)
    log.warn("images stay out of the group's reach", { group: readerGid, folders: shut.length });
  const pulls = await (options.openPulls ?? openPulls)(config, store, starting, observing.observers, shared);
  await observing.serve(metricSources({ config, startedAt, store, pulls, shared }));
  // What has more streams than it may is told so, in words; what has twice as many waits in its own queue.
  const server = new Server({
    "grpc.max_concurrent_streams": 2 * config.limits.clientStreams,
    "grpc.max_receive_message_length": maxRequestBytes,
    interceptors: [...observing.interceptors],
  });
  const health = addApi(server, {
    store,
    // The image is gone by then: who deleted it must not be told otherwise.
    onImageDeleted: () =>
      keepBallast(stateDir).catch((error: unknown) =>
        log.warn("no room is kept for the next start", { error: messageOf(error) }),
      ),
    pulls,
    config,
    startedAt,
    upkeep: shared.upkeep,
    ...shared.kernels,
  });
  const { inheritedFd } = options;
  const listener =
    inheritedFd === undefined
      ? await listenOn(server, socketPath, access)
      : await listenOnInherited(server, inheritedFd, socketPath);
  const { resumablePulls } = recovered;
  const postponedPulls = new Set(resume ? [] : resumablePulls.map(({ record }) => record.id));
  const parts = { postponedPulls, log, config, health, pulls, listener };
  const daemon = new RunningDaemon({ ...parts, owned: starting.move() });
  // From here on clients can call and pulls begin: what fails now ends as any daemon does, and in as much time.
  try {
    await keepBallast(stateDir);
    health.serve();
    if (resume) await pulls.resume(resumablePulls);
  } catch (error) {
    await daemon.stop();
    throw error;
  }
  log.info("serving", { socket: socketPath, state: stateDir, cache: cacheDir, version: config.version });
  return daemon;
}

/** How old the size of the cache may be that is told, in milliseconds: it takes a look at every file. */
const cacheSizeMs = 60_000;

function metricSources(parts: {
  readonly config: DaemonConfig;
  readonly startedAt: number;
  readonly store: Store;
  readonly pulls: Pulls;
  readonly shared: SharedParts;
}): MetricSources {
  const { config, startedAt, store, pulls, shared } = parts;
  return {
    version: config.version,
    startedAt,
    activePulls: () => pulls.activeCount(),
    waitingPulls: () => pulls.waitingCount(),
    images: () => store.imageCount(),
    cacheBytes: remembered(cacheSizeMs, async () => {
      const usage = await shared.upkeep.usage(new AbortController().signal);
      return usage.reduce((sum, { bytes }) => sum + bytes, 0);
    }),
  };
}

/** Looked up before anything is started: a group that is not there is a mistake in the config. */
async function socketAccess({ live }: DaemonConfig): Promise<SocketAccess> {
  const { mode, group } = live.settings.socket;
  const { signal } = new AbortController();
  return { mode, gid: group === undefined ? undefined : await groupNumber(group, signal) };
}

interface DaemonParts {
  readonly postponedPulls: ReadonlySet<string>;
  readonly log: Log;
  readonly config: DaemonConfig;
  readonly health: HealthService;
  readonly pulls: Pulls;
  readonly listener: Listener;
  /** Lock, store and workers, to be disposed of last and in reverse. */
  readonly owned: AsyncDisposableStack;
}

class RunningDaemon implements Daemon {
  readonly socketPath: string;
  readonly postponedPulls: ReadonlySet<string>;
  readonly #parts: DaemonParts;
  #stopped: Promise<void> | undefined;

  constructor(parts: DaemonParts) {
    this.#parts = parts;
    this.postponedPulls = parts.postponedPulls;
    this.socketPath = parts.listener.path;
  }

  reload(): void {
    reloadConfig(this.#parts.config, this.#parts.log);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    const { log, config, health, pulls, listener, owned } = this.#parts;
    log.info("stopping", { pulls: pulls.activeCount() });
    await using _last = owned;
    health.stop();
    // Side by side: the pulls' watchers are told why their streams end while these still can.
    const [pullsEnded] = await Promise.all([within(pullsMs, pulls.stop()), listener.close(graceMs)]);
    if (!pullsEnded) log.error("pulls did not end in time; the next start removes what they left");
    await keepBallast(config.paths.stateDir).catch((error: unknown) =>
      log.warn("no room is kept for the next start", { error: messageOf(error) }),
    );
    log.info("stopped");
  }
}

/** Whether the work ended in that many milliseconds. */
async function within(ms: number, work: Promise<void>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), ms);
  try {
    return await Promise.race([work.then(() => true), promise]);
  } finally {
    clearTimeout(timer);
  }
}

function logRecovery(
  { log, recovery }: DaemonLogs,
  report: Awaited<ReturnType<typeof recover>>,
  resume: boolean,
): void {
  const { sweptFolders, orphanFolders, lostImages, interruptedPulls, unknownNames } = report;
  const pulls = report.resumablePulls.map(({ record }) => record.id);
  const then = resume ? "go on" : "wait for a daemon that stays";
  if (pulls.length > 0) recovery.info(`pulls that were cut off ${then}`, { pulls });
  if (sweptFolders.length > 0) recovery.info("removed what was cut off", { folders: sweptFolders });
  if (orphanFolders.length > 0)
    recovery.warn("removed images that the store does not know", { folders: orphanFolders });
  if (lostImages.length > 0) recovery.warn("forgot images whose files are gone", { images: lostImages });
  if (interruptedPulls.length > 0)
    recovery.warn("failed pulls that were cut off", { pulls: interruptedPulls });
  if (unknownNames.length > 0) log.warn("left alone what is not ours", { names: unknownNames });
}
