import { utf8Bytes } from "../base/bytes.ts";
import { hasReason } from "../base/error.ts";
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
 * would find it, its interpreter and its loader, all for the right processor. Reads a few blocks.
 *
 * @throws BangerError FILESYSTEM_CORRUPT.
 */
export function bootReadiness(input: ReadinessInput): BootReadiness {
  using image = Ext4Image.open(input.rootfs);
  const look = new Inspector(image, input.platform);
  const init = initPaths.map((path) => `/${path}`).find((path) => look.isProgram(path));
  if (init === undefined) {
    const why = input.agents ? "" : ", and guest agents, which bring one, were left out";
    return { initPath: "", obstacles: [`there is no init in the image${why}`] };
  }
  const obstacles = look.problemsOf(init);
  if (init.endsWith("/systemd")) {
    obstacles.push(`the kernel does not look for ${init} by itself: add init=${init} to its command line`);
  }
  if (input.agents) {
    if (look.isProgram(`/${agentPath}`)) obstacles.push(...look.problemsOf(`/${agentPath}`));
    if (look.isFile("/etc/banger/init.conf")) obstacles.push(...commandProblems(look, input.config));
  }
  return { initPath: init, obstacles: [...new Set(obstacles)] };
}

/** Of what banger-init will be asked to run. */
function commandProblems(look: Inspector, config: ProcessConfig): readonly string[] {
  const [command] = [...config.entrypoint, ...config.cmd];
  if (command === undefined) return ["the image has no init, and neither Entrypoint nor Cmd to run instead"];
  if (command.includes("/")) {
    const path = command.startsWith("/") ? command : `${config.workingDir}/${command}`;
    return look.problemsOf(path.startsWith("/") ? path : `/${path}`);
  }
  const path = config.env.find((variable) => variable.startsWith("PATH="))?.slice(5) ?? defaultPath;
  const found = path
    .split(":")
    .map((folder) => `${folder}/${command}`)
    .find((place) => look.isProgram(place));
  return found === undefined
    ? [`${JSON.stringify(command)}, which the image is to run, is not in its PATH`]
    : look.problemsOf(found);
}

class Inspector {
  readonly #image: Ext4Image;
  readonly #platform: Platform;

  constructor(image: Ext4Image, platform: Platform) {
    this.#image = image;
    this.#platform = platform;
  }

  isFile(path: string): boolean {
    return this.#find(path)?.kind === "file";
  }

  isProgram(path: string): boolean {
    const inode = this.#find(path);
    return inode?.kind === "file" && (inode.mode & 0o111) !== 0;
  }

  /** What would keep the kernel from starting it. */
  problemsOf(path: string, depth = 0): string[] {
    const inode = this.#find(path);
    if (inode === undefined) return [`${path} is not in the image`];
    if (inode.kind !== "file") return [`${path} is a ${inode.kind}`];
    if ((inode.mode & 0o111) === 0) return [`${path} is not executable`];
    const head = readProgramHead((offset, length) => this.#image.read(inode, offset, length));
    switch (head.kind) {
      case "unknown":
        return [`${path} is no program that Linux can start`];
      case "script":
        if (depth >= maxInterpreters) return [`${path} is a script of a script of a script`];
        return this.problemsOf(head.interpreter, depth + 1).map(
          (problem) => `${path} is a script: ${problem}`,
        );
      case "elf": {
        const expected = machines[this.#platform.architecture];
        if (expected !== undefined && (head.machine !== expected[0] || head.bits !== expected[1])) {
          return [`${path} is made for another processor than the image's, ${this.#platform.architecture}`];
        }
        if (head.loader === "" || this.isProgram(head.loader)) return [];
        return [`${path} needs the loader ${head.loader}, which is not in the image`];
      }
    }
  }

  #find(path: string): Ext4Inode | undefined {
    try {
      return resolvePath(this.#image, utf8Bytes(path), { followLast: true });
    } catch (error) {
      if (hasReason(error, "FILE_UNKNOWN", "LIMIT_PATH")) return undefined;
      throw error;
    }
  }
}
