import { utf8Bytes } from "../base/bytes.ts";
import { hasReason } from "../base/error.ts";
import type { Sliced } from "../base/slices.ts";
import { Ext4Image } from "../ext4/read/image.ts";
import type { Ext4Inode } from "../ext4/read/inode.ts";
import { resolvePath } from "../ext4/read/path.ts";
import type { Platform } from "../oci/platform.ts";
import { agentPath } from "./assets.ts";
import type { ProcessConfig } from "./init-conf.ts";
import { initPaths } from "./plan-layer.ts";
import { readProgramHead } from "./program-head.ts";

/** Which init an image boots, and what would stop it from booting. */
export interface BootReadiness {
  /** Absolute, as the kernel would look for it; empty where there is none. */
  readonly initPath: string;
  /** Sentences for a person, the most fundamental first. */
  readonly obstacles: readonly string[];
}

export interface ReadinessInput {
  readonly rootfs: string;
  readonly platform: Platform;
  readonly config: ProcessConfig;
  /** Guest agents were put in. */
  readonly agents: boolean;
}

/** ELF's machines (e_machine) and word sizes of the processors that OCI names. */
const machines: Readonly<Record<string, readonly [machine: number, bits: 32 | 64]>> = {
  amd64: [62, 64],
  "386": [3, 32],
  arm64: [183, 64],
  arm: [40, 32],
  riscv64: [243, 64],
  ppc64le: [21, 64],
  s390x: [22, 64],
  loong64: [258, 64],
};

/** Scripts that are the interpreters of scripts: Linux gives up after as many (fs/exec.c, `exec_binprm`). */
const maxInterpreters = 5;

/** Where banger-init looks for a command without a slash, as container runtimes do. */
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Looks into a finished file system for what it would boot: not whether the program works, but whether the kernel
 * would find it, its interpreter and its loader, all for the right processor. Reads a few blocks; of an image whose
 * links make that a long way it gives up, and says that what it looked for is not there.
 *
 * @throws BangerError FILESYSTEM_CORRUPT.
 */
export function* bootReadiness(input: ReadinessInput): Sliced<BootReadiness> {
  using image = Ext4Image.open(input.rootfs);
  const look = new Inspector(image, input.platform);
  const init = yield* look.firstProgram(initPaths.map((path) => `/${path}`));
  if (init === undefined) {
    const why = input.agents ? "" : ", and guest agents, which bring one, were left out";
    return { initPath: "", obstacles: [`there is no init in the image${why}`] };
  }
  const obstacles = [...(yield* look.problemsOf(init))];
  if (init.endsWith("/systemd")) {
    obstacles.push(`the kernel does not look for ${init} by itself: add init=${init} to its command line`);
  }
  if (input.agents) {
    const agent = `/${agentPath}`;
    if (yield* look.isProgram(agent)) obstacles.push(...(yield* look.problemsOf(agent)));
    if (yield* look.isFile("/etc/banger/init.conf")) {
      obstacles.push(...(yield* commandProblems(look, input.config)));
    }
  }
  return { initPath: init, obstacles: [...new Set(obstacles)] };
}

/** Of what banger-init will be asked to run. */
function* commandProblems(look: Inspector, config: ProcessConfig): Sliced<readonly string[]> {
  const [command] = [...config.entrypoint, ...config.cmd];
  if (command === undefined) return ["the image has no init, and neither Entrypoint nor Cmd to run instead"];
  if (command.includes("/")) {
    const path = command.startsWith("/") ? command : `${config.workingDir}/${command}`;
    return yield* look.problemsOf(path.startsWith("/") ? path : `/${path}`);
  }
  const path = config.env.find((variable) => variable.startsWith("PATH="))?.slice(5) ?? defaultPath;
  const folders = path.split(":", mostFolders);
  const found = yield* look.firstProgram(folders.map((folder) => `${folder}/${command}`));
  return found === undefined
    ? [`${JSON.stringify(command)}, which the image is to run, is not in its PATH`]
    : yield* look.problemsOf(found);
}

/** Folders of a PATH that are looked into: a config has room for a million. */
const mostFolders = 1000;

class Inspector {
  readonly #image: Ext4Image;
  readonly #platform: Platform;

  constructor(image: Ext4Image, platform: Platform) {
    this.#image = image;
    this.#platform = platform;
  }

  *firstProgram(paths: readonly string[]): Sliced<string | undefined> {
    for (const path of paths) if (yield* this.isProgram(path)) return path;
    return undefined;
  }

  *isFile(path: string): Sliced<boolean> {
    return (yield* this.#find(path))?.kind === "file";
  }

  *isProgram(path: string): Sliced<boolean> {
    const inode = yield* this.#find(path);
    return inode?.kind === "file" && (inode.mode & 0o111) !== 0;
  }

  /** What would keep the kernel from starting it. */
  *problemsOf(path: string, depth = 0): Sliced<readonly string[]> {
    const inode = yield* this.#find(path);
    if (inode === undefined) return [`${path} is not in the image`];
    if (inode.kind !== "file") return [`${path} is a ${inode.kind}`];
    if ((inode.mode & 0o111) === 0) return [`${path} is not executable`];
    const head = readProgramHead((offset, length) => this.#image.read(inode, offset, length));
    switch (head.kind) {
      case "unknown":
        return [`${path} is no program that Linux can start`];
      case "script":
        if (depth >= maxInterpreters) return [`${path} is a script of a script of a script`];
        return (yield* this.problemsOf(head.interpreter, depth + 1)).map(
          (problem) => `${path} is a script: ${problem}`,
        );
      case "elf": {
        const expected = machines[this.#platform.architecture];
        if (expected !== undefined && (head.machine !== expected[0] || head.bits !== expected[1])) {
          return [`${path} is made for another processor than the image's, ${this.#platform.architecture}`];
        }
        if (head.loader === "" || (yield* this.isProgram(head.loader))) return [];
        return [`${path} needs the loader ${head.loader}, which is not in the image`];
      }
    }
  }

  *#find(path: string): Sliced<Ext4Inode | undefined> {
    try {
      return yield* resolvePath(this.#image, utf8Bytes(path), { followLast: true });
    } catch (error) {
      if (hasReason(error, "FILE_UNKNOWN", "LIMIT_PATH")) return undefined;
      throw error;
    }
  }
}
