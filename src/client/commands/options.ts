import { resolve } from "node:path";
import { Option } from "commander";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Builder } from "../../../gen/banger/image/v1/image_pb.ts";
import {
  VerifyDepth,
  type KernelSelectionSchema,
  type PullOptionsSchema,
} from "../../../gen/banger/image/v1/pull_pb.ts";
import { BangerError } from "../../base/error.ts";
import { absoluteKernelRef } from "../../kernel/kernel-ref.ts";
import { progressModes } from "../progress.ts";
import { parseImageSize } from "../size.ts";

/** What commander makes of `image pull`'s options. */
export interface PullFlags {
  readonly name?: string;
  readonly platform?: string;
  readonly size?: string;
  readonly builder?: "direct" | "e2fsprogs";
  readonly verify?: "metadata" | "full";
  readonly kernelRef?: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly modules?: string;
  readonly modulesIntoRootfs?: boolean;
  readonly agents: boolean;
  readonly keepIdentity?: boolean;
  readonly strict?: boolean;
  readonly detach?: boolean;
  readonly credsFile?: string;
}

export const jsonOption = (): Option => new Option("--json", "print JSON");

export const progressOption = (): Option =>
  new Option("--progress <how>", "how to show progress, on stderr").choices(progressModes).default("auto");

/** The options that `image pull` and `image resolve` share. */
export const pullOptions = (): Option[] => [
  new Option("--name <name>", "name of the image; the default is repository and tag"),
  new Option("--platform <os/arch>", "which image of an index").default("linux/amd64"),
  new Option("--size <size>", "size of the file system, as 4G; the default fits the image"),
  new Option("--builder <builder>", "what makes the file system; the default is the config's").choices([
    "direct",
    "e2fsprogs",
  ]),
  new Option("--verify <depth>", "how much to read back; the default is metadata").choices([
    "metadata",
    "full",
  ]),
  new Option(
    "--kernel-ref <kernel>",
    "a kernel that is here, of a catalog, or deb:FILE, artifact:REFERENCE",
  ).conflicts(["kernel", "initrd", "modules"]),
  new Option("--kernel <file>", "a kernel of this machine"),
  new Option("--initrd <file>", "with --kernel: its initial RAM disk"),
  new Option("--modules <folder>", "with --kernel: its modules, as lib/modules/VERSION"),
  new Option("--modules-into-rootfs", "put the kernel's modules into the image's /lib/modules"),
  new Option("--no-agents", "leave banger's guest agents out"),
  new Option("--keep-identity", "leave the image's machine id and SSH host keys in it"),
  new Option(
    "--creds-file <file>",
    "a file with USER:PASSWORD for the registry, - for stdin (BANGER_CREDS has it without a file)",
  ),
  new Option("--strict", "fail where the disk can't hold all that the image says"),
];

/** @throws BangerError SIZE_INVALID, OPTION_INVALID. */
export function pullOptionsOf(flags: PullFlags, folder: string): MessageInitShape<typeof PullOptionsSchema> {
  const kernel = kernelOf(flags, folder);
  return {
    name: flags.name ?? "",
    platform: flags.platform ?? "",
    sizeBytes: parseImageSize(flags.size),
    builder: builderOf(flags.builder),
    verify: depthOf(flags.verify),
    noAgents: !flags.agents,
    keepIdentity: flags.keepIdentity ?? false,
    strict: flags.strict ?? false,
    detached: flags.detach ?? false,
    ...(kernel === undefined ? {} : { kernel }),
    modulesIntoRootfs: flags.modulesIntoRootfs ?? false,
  };
}

function kernelOf(
  { kernelRef, kernel, initrd, modules }: PullFlags,
  folder: string,
): MessageInitShape<typeof KernelSelectionSchema> | undefined {
  if (kernelRef !== undefined) return { ref: absoluteKernelRef(kernelRef, folder) };
  if (kernel === undefined) {
    if (initrd === undefined && modules === undefined) return undefined;
    throw new BangerError("OPTION_INVALID", "--initrd and --modules go with --kernel", {
      op: "read options",
      hint: "Add --kernel FILE, or take a kernel by name with --kernel-ref.",
    });
  }
  const absolute = (path: string | undefined): string => (path === undefined ? "" : resolve(folder, path));
  return {
    kernelPath: absolute(kernel),
    initrdPath: absolute(initrd),
    modulesPath: absolute(modules),
  };
}

function builderOf(name: PullFlags["builder"]): Builder {
  if (name === undefined) return Builder.UNSPECIFIED;
  return name === "direct" ? Builder.DIRECT : Builder.E2FSPROGS;
}

function depthOf(name: PullFlags["verify"]): VerifyDepth {
  if (name === undefined) return VerifyDepth.UNSPECIFIED;
  return name === "full" ? VerifyDepth.FULL : VerifyDepth.METADATA;
}
