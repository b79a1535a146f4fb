import { homedir } from "node:os";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { asBangerError } from "../../base/error.ts";
import { makeTempDir } from "../../base/files.ts";
import { resolvePaths } from "../../service/paths.ts";
import { startEmbedded } from "../embedded.ts";
import { provideGuestPrograms } from "./guest-programs.ts";
import { exitCodeOf, exitCodes, type ExitCode } from "../exit-code.ts";
import { watchInterrupts } from "../interrupt.ts";
import { runCommandLine } from "../main.ts";
import { formatBytes } from "../render/units.ts";
import { tellError } from "../run-session.ts";
import { printLines, processTerminal, type Terminal } from "../terminal.ts";
import { demoLayers } from "./layers.ts";
import { writeLayout } from "./layout.ts";
import { outsideView } from "./outside-view.ts";

/** Of the image that is made. */
const name = "demo";

/** What the demo pulls, and where to look inside of it. */
interface Subject {
  readonly reference: string;
  readonly pullArgs: readonly string[];
  readonly folders: readonly string[];
  readonly file: string;
}

const usage = `Usage: npm run -s demo                     pull an image packed of this machine's own files
       npm run -s demo -- REF              pull that one instead
       npm run -s demo -- --pack FOLDER    only write the demo's image, as an OCI layout`;

/**
 * Pulls an image into a temporary place with commands that anyone could type, looks inside, and leaves nothing
 * behind. Without an argument the image is packed of this machine's own files, and no network is used.
 */
export async function main(args: readonly string[]): Promise<void> {
  const terminal = processTerminal();
  using interrupt = watchInterrupts();
  try {
    process.exitCode = await runDemo(args, terminal, interrupt.signal);
  } catch (error) {
    const failure = asBangerError(error, "demo");
    tellError(failure, "text", terminal);
    process.exitCode = interrupt.signal.aborted ? exitCodes.interrupted : exitCodeOf(failure);
  }
}

async function runDemo(args: readonly string[], terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const [first, second, ...rest] = args;
  const known =
    first === "--pack" ? second !== undefined : first?.startsWith("-") !== true && second === undefined;
  if (!known || rest.length > 0) {
    printLines(terminal.stderr, [usage]);
    return first === "--help" ? exitCodes.done : exitCodes.usage;
  }
  if (first !== "--pack" || second === undefined) return demo(first, terminal, signal);
  const layout = await writeLayout(resolve(terminal.folder, second), await demoLayers(signal));
  printLines(terminal.stdout, [layout.reference]);
  return exitCodes.done;
}

async function demo(
  reference: string | undefined,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  await using place = await makeTempDir("banger-demo-");
  const say = (text: string): void => printLines(terminal.stdout, ["", `# ${text}`]);
  const subject =
    reference === undefined ? await packedSubject(place.path, say, signal) : namedSubject(reference);

  const agents = await agentArgs(say, signal);

  say("Start a daemon of its own, on a socket in that folder.");
  const flags = {
    stateDir: join(place.path, "state"),
    cacheDir: join(place.path, "cache"),
    socket: join(place.path, "d.sock"),
  };
  // What the user's own config says is not the demo's.
  const configPath = join(place.path, "config.toml");
  const usual = resolvePaths(flags, { env: {}, home: homedir(), folder: terminal.folder });
  const paths = { ...usual, configPath };
  await using _daemon = await startEmbedded(paths, terminal);

  const env = { ...terminal.env, BANGER_SOCKET: paths.socketPath };
  const banger = (...words: readonly string[]): Promise<ExitCode> => {
    printLines(terminal.stdout, ["", `$ banger ${words.join(" ")}`]);
    return runCommandLine(words, { ...terminal, env });
  };
  say("Tell what a pull would do, then do it.");
  const pullArgs = [...subject.pullArgs, ...agents];
  for (const words of [
    ["image", "resolve", subject.reference, ...pullArgs],
    ["image", "pull", subject.reference, ...pullArgs],
  ]) {
    const code = await banger(...words);
    if (code !== exitCodes.done) return code;
  }
  // Awaited here, because the daemon goes with this block.
  return await lookInside({ ...subject, pullArgs }, join(paths.stateDir, "images"), {
    banger,
    say,
    terminal,
    signal,
  });
}

/** The image gets banger's agents where the programs for it are there, or can be built. */
async function agentArgs(say: (text: string) => void, signal: AbortSignal): Promise<readonly string[]> {
  if (await provideGuestPrograms(signal)) return [];
  say("There is no C compiler here to build the guest's programs: they are left out of the image.");
  say("With gcc and libc6-dev, `npm run build:guest` builds them, and the image boots by itself.");
  return ["--no-agents"];
}

interface Stage {
  readonly banger: (...words: readonly string[]) => Promise<ExitCode>;
  readonly say: (text: string) => void;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

async function lookInside(subject: Subject, imagesDir: string, stage: Stage): Promise<ExitCode> {
  const { banger, say, terminal, signal } = stage;
  // Beside the image lies the daemon's own mark.
  const id = (await readdir(imagesDir)).find((name) => !name.startsWith(".")) ?? "";
  const rootfs = join(imagesDir, id, "rootfs.ext4");
  const show = async (program: "e2fsck" | "debugfs", ...words: readonly string[]): Promise<void> =>
    printLines(terminal.stdout, await outsideView(program, [...words, rootfs], signal));

  say("Ask e2fsck and debugfs, which read it without a mount.");
  await show("e2fsck", "-fn");
  for (const folder of subject.folders) await show("debugfs", "-R", `ls -l ${folder}`);
  await show("debugfs", "-R", `cat ${subject.file}`);

  say("Pull it again: it is there already.");
  for (const words of [
    ["image", "pull", subject.reference, ...subject.pullArgs, "--quiet"],
    ["image", "ls"],
    ["image", "inspect", name],
    ["image", "rm", name],
  ]) {
    const code = await banger(...words);
    if (code !== exitCodes.done) return code;
  }
  say("Done. The daemon is stopped and its folder removed.");
  return exitCodes.done;
}

async function packedSubject(
  folder: string,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<Subject> {
  say("Pack a small image of this machine's own shell and libraries, as an OCI layout.");
  const layers = await demoLayers(signal);
  const layout = await writeLayout(join(folder, "image"), layers);
  say(`${layers.length} layers, ${formatBytes(layout.compressedBytes)}, in ${folder}`);
  return {
    reference: layout.reference,
    pullArgs: ["--name", name, "--platform", layout.platform, "--verify", "full"],
    folders: ["/usr/bin", "/home/demo", "/srv"],
    file: "/srv/greeting",
  };
}

function namedSubject(reference: string): Subject {
  return { reference, pullArgs: ["--name", name], folders: ["/", "/etc"], file: "/etc/os-release" };
}
