import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { BangerError, asBangerError, errnoOf } from "../../base/error.ts";
import { run } from "../../base/exec.ts";
import { makeTempDir, removeTree } from "../../base/files.ts";
import { defaultLimits } from "../../base/limits.ts";
import { runInSlices } from "../../base/slices.ts";
import type { Trash } from "../../base/trash.ts";
import { WorkerPool, workerFile } from "../../base/workers.ts";
import type { RootTree } from "../../layers/root-tree.ts";
import { everyInode } from "../../layers/tree-walk.ts";
import type { BuildInput, BuiltFacts, OwnershipFacts, RootfsBuild, RootfsBuilder } from "../builder.ts";
import { chooseGeometry, type SpaceNeeds } from "../geometry.ts";
import { spaceNeeds } from "../space-needs.ts";
import { gather } from "./gather.ts";
import { makeFileSystem } from "./mkfs.ts";
import { reconcile } from "./ownership.ts";
import { checkPrograms, type ProgramContext } from "./programs.ts";
import { stageTree } from "./stage.ts";
import type { StageJob, StageProgress } from "./stage-worker.ts";
import { planStaging, type StagingPlan } from "./staging-plan.ts";

/** Builds with `mkfs.ext4 -d` from a staging folder under `$TMPDIR`, and `debugfs` for what that can't do. */
export const e2fsprogsBuilder: RootfsBuilder = {
  name: "e2fsprogs",
  check: (signal) => checkPrograms(defaultLimits, signal),
  async build(input) {
    try {
      return await build(input);
    } catch (error) {
      throw asBangerError(error, "build ext4");
    }
  },
};

async function build(input: BuildInput): Promise<RootfsBuild> {
  const { tree, layers, signal } = input;
  checkTarget(input.target);
  const plan = await runInSlices(planStaging(tree, layers), signal);
  const needs = withFolders(await runInSlices(spaceNeeds(tree), signal), plan);
  const geometry = chooseGeometry(needs, input.sizeBytes);
  const program: ProgramContext = { limits: input.limits, signal, now: newestSecond(plan) };
  await using resources = new AsyncDisposableStack();
  const temp = await makeTempDir("build-", input.tempDir);
  resources.defer(() => discardFolder(temp.path, input.trash));
  const staging = join(temp.path, "root");
  await mkdir(staging, 0o700);
  await stage(plan, staging, input);
  const { target, uuid, hashSeed } = input;
  await makeFileSystem({ target, staging, tempDir: temp.path, geometry, uuid, hashSeed }, program);
  await gather(plan.gather, { ...program, image: target, tempDir: temp.path, onCommands: () => {} });
  // The space is wanted back early. Should it fail, the folder above goes later, and says so.
  const removal = discardFolder(staging, input.trash).catch(() => {});
  resources.defer(() => removal);
  const built = { sizeBytes: geometry.sizeBytes, contentBytes: tree.contentBytes };
  return new E2fsprogsBuild(built, { input, program, tempDir: temp.path }, resources.move());
}

/** Folders that go again once mkfs is done need their space until then. */
function withFolders({ blocks, inodes }: SpaceNeeds, plan: StagingPlan): SpaceNeeds {
  return { blocks: blocks + plan.gather.blocks, inodes: inodes + plan.gather.folders.length };
}

/** e2fsprogs take what follows a question mark for options of the file's (lib/ext2fs/openfs.c, `io_options`). */
function checkTarget(target: string): void {
  if (!target.includes("?")) return;
  throw new BangerError("OPTION_INVALID", `${target}: e2fsprogs can't open a file with a ? in its path`, {
    op: "build ext4",
    hint: "Use a state folder without a question mark in its name.",
  });
}

async function stage(plan: StagingPlan, root: string, input: BuildInput): Promise<void> {
  const { layers, limits, signal, tree, onProgress } = input;
  const file = workerFile(import.meta.dirname, "stage-worker");
  await using pool = new WorkerPool<StageJob, null, StageProgress>(file);
  const onBytes = (done: number): void => onProgress({ done, total: tree.contentBytes, unit: "bytes" });
  await stageTree(plan, { root, layers, limits, pool, signal, onBytes });
}

interface Workplace {
  readonly input: BuildInput;
  readonly program: ProgramContext;
  readonly tempDir: string;
}

class E2fsprogsBuild implements RootfsBuild {
  readonly built: BuiltFacts;
  readonly #place: Workplace;
  readonly #resources: AsyncDisposableStack;

  constructor(built: BuiltFacts, place: Workplace, resources: AsyncDisposableStack) {
    this.built = built;
    this.#place = place;
    this.#resources = resources;
  }

  async applyOwnership(): Promise<OwnershipFacts> {
    const { input, program, tempDir } = this.#place;
    const { tree, target, onProgress } = input;
    const onCommands = (done: number, total: number): void => onProgress({ done, total, unit: "commands" });
    try {
      const changes = await reconcile(tree, { ...program, image: target, tempDir, onCommands });
      return { inodes: tree.inodeCount, changes, ...counted(tree) };
    } catch (error) {
      throw asBangerError(error, "apply ownership");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

function counted(tree: RootTree): { readonly devices: number; readonly xattrs: number } {
  let devices = 0;
  let xattrs = 0;
  for (const { inode } of everyInode(tree.root)) {
    if (inode.kind === "character" || inode.kind === "block") devices += 1;
    xattrs += inode.xattrs.length;
  }
  return { devices, xattrs };
}

/**
 * What e2fsprogs take for the present: the newest time of the image, so that the same image gives the same
 * superblock; never later than now, as e2fsck objects to file systems from the future, nor 0, which means now. Times
 * that lie in the future count for nothing, so that two builds differ only where one of them was between the two.
 */
function newestSecond(plan: StagingPlan): number {
  const now = Math.floor(Date.now() / 1000);
  let newest = 1;
  const all = [plan.directories, plan.emptyFiles, plan.symlinks, ...plan.layerFiles.values()];
  for (const some of all) {
    for (const { seconds = 0 } of some) if (seconds <= now) newest = Math.max(newest, seconds);
  }
  return newest;
}

/** Out of the way at once where there is somebody who removes it later; else it is gone when this returns. */
async function discardFolder(path: string, trash: Trash | undefined): Promise<void> {
  if (trash === undefined) await removeFolder(path);
  else await trash.discard(path, `${path}.trash`, removeFolder);
}

/** By rm(1): it takes paths longer than one call can, and leaves the event loop alone. Also after an abort. */
async function removeFolder(path: string): Promise<void> {
  const op = "remove staging folder";
  const limits = { timeoutMs: defaultLimits.programMs, maxOutputBytes: 1024 * 1024 };
  try {
    const { exitCode, stderr } = await run("rm", ["-rf", "--", path], {
      op,
      signal: new AbortController().signal,
      ...limits,
    });
    if (exitCode === 0) return;
    throw new BangerError(
      "FILESYSTEM_ERROR",
      `${path} could not be removed: ${stderr.toString("latin1").slice(0, 300)}`,
      {
        op,
        hint: "Remove the folder by hand.",
      },
    );
  } catch (error) {
    if (!(error instanceof BangerError) || errnoOf(error.cause) !== "ENOENT") throw error;
    await removeTree(path);
  }
}
