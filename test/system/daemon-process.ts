import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync, chmodSync, existsSync } from "node:fs";
import { mkdtemp, mkdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { markerName } from "../../src/images/layout.ts";

const root = join(import.meta.dirname, "..", "..");
const bangerd = join(root, "src", "bin", "bangerd.js");
const banger = join(root, "src", "bin", "banger.js");

/** Somebody with no right beyond an ordinary user's: nobody, no group, no capability, none to be had. */
export const nobody = 65_534;
const asNobody = [
  "setpriv",
  `--reuid=${nobody}`,
  `--regid=${nobody}`,
  "--clear-groups",
  "--no-new-privs",
  "--bounding-set=-all",
  "--inh-caps=-all",
];

export interface DaemonOptions {
  readonly unprivileged?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** A command that runs the daemon, as `unshare …`; the daemon's own words are appended. */
  readonly wrapper?: readonly string[];
  /** Folders of an earlier daemon, to go on with. */
  readonly home?: DaemonHome;
}

/** The folders of a daemon; they outlive it, and whoever made them removes them. */
export interface DaemonHome extends AsyncDisposable {
  readonly folder: string;
  readonly state: string;
  readonly cache: string;
  readonly temp: string;
  readonly socket: string;
}

export async function makeDaemonHome(owner?: number): Promise<DaemonHome> {
  const folder = await mkdtemp(join(tmpdir(), "banger-e2e-"));
  const home = {
    folder,
    state: join(folder, "state"),
    cache: join(folder, "cache"),
    temp: join(folder, "tmp"),
    socket: join(folder, "s.sock"),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
  for (const path of [home.state, home.cache, home.temp]) await mkdir(path, { mode: 0o700 });
  if (owner !== undefined) {
    chmodSync(folder, 0o755);
    for (const path of [folder, home.state, home.cache, home.temp]) chownSync(path, owner, owner);
  }
  return home;
}

export interface DaemonProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly home: DaemonHome;
  /** All it has logged so far. */
  readonly log: () => string;
  /** Ends it with no warning, and returns once it is gone. */
  readonly kill: () => Promise<void>;
  /** Ends it as systemd would. */
  readonly stop: () => Promise<number | null>;
}

/** A bangerd of its own folders that answers on its socket. Disposing of it stops it; it removes the folders that it made. */
export async function startDaemonProcess(options: DaemonOptions = {}): Promise<DaemonProcess> {
  const home = options.home ?? (await makeDaemonHome(options.unprivileged === true ? nobody : undefined));
  const [program, ...args] = [
    ...(options.unprivileged === true ? asNobody : []),
    ...(options.wrapper ?? []),
    process.execPath,
    bangerd,
    "--state-dir",
    home.state,
    "--cache-dir",
    home.cache,
    "--socket",
    home.socket,
  ];
  const env = { ...process.env, TMPDIR: home.temp, HOME: home.folder, ...options.env };
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env });
  let log = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (piece: string) => (log += piece));
  const exited = once(child, "exit");
  const daemon: DaemonProcess = {
    child,
    home,
    log: () => log,
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
    stop: async () => {
      child.kill("SIGTERM");
      await exited;
      return child.exitCode;
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) await daemon.stop();
      if (options.home === undefined) await home[Symbol.asyncDispose]();
    },
  };
  for (let tries = 0; !(await answers(home.socket)); tries++) {
    if (tries > 1200 || child.exitCode !== null || child.signalCode !== null) {
      await daemon.kill();
      throw new Error(`bangerd does not answer:\n${log}`);
    }
    await sleep(50);
  }
  return daemon;
}

function answers(socket: string): Promise<boolean> {
  if (!existsSync(socket)) return Promise.resolve(false);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const probe = connect(socket);
  probe.once("connect", () => {
    probe.destroy();
    resolve(true);
  });
  probe.once("error", () => resolve(false));
  return promise;
}

export interface CliResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `banger` against a daemon, to its end, and leaves the event loop free. */
export async function runCli(
  daemon: { readonly home: DaemonHome },
  ...args: readonly string[]
): Promise<CliResult> {
  const child = spawn(process.execPath, [banger, "--socket", daemon.home.socket, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1" },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (stdout += piece));
  child.stderr.setEncoding("utf8").on("data", (piece: string) => (stderr += piece));
  await once(child, "close");
  return { status: child.exitCode, stdout, stderr };
}

/** Every name below a folder, relative, sorted: what a daemon left there, besides the mark of its folder of images. */
export function namesBelow(folder: string): readonly string[] {
  const found = spawnSync("find", [folder, "-mindepth", "1", "-printf", "%P\n"], { encoding: "utf8" });
  return found.stdout
    .split("\n")
    .filter((name) => name !== "" && name !== markerName && !name.endsWith(`/${markerName}`))
    .sort();
}
