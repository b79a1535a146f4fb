import { homedir } from "node:os";
import { CommanderError } from "commander";
import { asBangerError, eachOf } from "../base/error.ts";
import { keepYoungHeapSmall } from "../base/heap.ts";
import { speaksUtf8 } from "../base/locale.ts";
import { safeText } from "../base/safe-text.ts";
import { activationVariables, inheritedSocket } from "./activation.ts";
import { bangerdCommand } from "./command-line.ts";
import { loadConfig } from "./config.ts";
import { requireSafeConfig } from "./folders.ts";
import { lineLog, type AdjustableLog, type Log } from "./log.ts";
import { locatePaths, type PathFlags } from "./paths.ts";
import { usageErrorOf } from "./usage-error.ts";

/** Runs `bangerd`, without the program's name, until it is told to stop, and sets the process's exit code. */
export async function main(args: readonly string[]): Promise<void> {
  keepYoungHeapSmall();
  const log = lineLog((line) => process.stderr.write(line));
  try {
    const flags = parseFlags(args);
    await serve(flags, log);
  } catch (error) {
    if (error instanceof CommanderError) {
      const usage = usageErrorOf(error);
      if (usage !== undefined) tell(usage.message, usage.meant ?? "See `bangerd --help`.");
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    for (const { message, hint } of eachOf(asBangerError(error, "bangerd"))) tell(message, hint);
    process.exitCode = 1;
  }
}

function parseFlags(args: readonly string[]): PathFlags {
  return bangerdCommand()
    .parse([...args], { from: "user" })
    .opts<PathFlags>();
}

async function serve(flags: PathFlags, log: AdjustableLog): Promise<void> {
  // Before anything is started, so that no signal can hit a daemon that would not hear it.
  const told = stopSignal(log);
  const surroundings = { env: process.env, home: homedir(), folder: process.cwd() };
  const inheritedFd = inheritedSocket(process.env, process.pid);
  for (const name of activationVariables) delete process.env[name];
  const config = loadConfig(locatePaths(flags, surroundings));
  if (flags.system === true && config.live.found) await requireSafeConfig(config.paths.configPath);
  using _said = config.live.follow((settings) => log.adjust(settings.log));
  // Not before the flags are known to be right: it brings gRPC and SQLite with it.
  const { startDaemon } = await import("./daemon.ts");
  await using daemon = await startDaemon(config, { log, inheritedFd });
  using _reload = onReloadSignal(() => daemon.reload());
  log.info("signal", { name: await told });
  await daemon.stop();
}

/** The first signal asks for a stop; the second gives up on a graceful one. What it leaves, the next start mends. */
function stopSignal(log: Log): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let asked = false;
  const onSignal = (name: NodeJS.Signals): void => {
    if (asked) {
      log.warn("stopped at once", { name });
      process.exit(1);
    }
    asked = true;
    resolve(name);
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  // Until there is something to reload; left alone, it would end the process half way.
  process.on("SIGHUP", () => {});
  return promise;
}

/** SIGHUP also tells of a terminal that closes, which a daemon outlives; its log may then have nowhere to go. */
function onReloadSignal(reload: () => void): Disposable {
  process.stderr.on("error", () => {});
  process.on("SIGHUP", reload);
  return { [Symbol.dispose]: () => void process.off("SIGHUP", reload) };
}

/** As `banger` tells errors: what happened, and after the arrow what to do. */
function tell(message: string, hint: string): void {
  const arrow = process.stderr.isTTY && !speaksUtf8(process.env) ? ">" : "→";
  process.stderr.write(`bangerd: ${safeText(message)}\n  ${arrow} ${safeText(hint)}\n`);
}
