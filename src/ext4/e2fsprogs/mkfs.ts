import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BangerError, asBangerError } from "../../base/error.ts";
import { run } from "../../base/exec.ts";
import { makeRoom } from "../../base/make-room.ts";
import { blockBytes, inodeBytes, type Geometry } from "../geometry.ts";
import { createSparse } from "../sparse-file.ts";
import { complaints, runProgram, type ProgramContext } from "./programs.ts";

/** Named one by one, after `none`, so that no distribution's default decides what a guest's kernel must know. */
const features = [
  "has_journal",
  "ext_attr",
  "resize_inode",
  "dir_index",
  "filetype",
  "extent",
  "64bit",
  "flex_bg",
  "sparse_super",
  "large_file",
  "huge_file",
  "dir_nlink",
  "extra_isize",
  "metadata_csum",
] as const;

/** In the place of /etc/mke2fs.conf, which a distribution or an administrator may have changed. */
const config = `[defaults]
	base_features = none
	default_mntopts = acl,user_xattr
	enable_periodic_fsck = 0
	blocksize = ${blockBytes}
	inode_size = ${inodeBytes}
	inode_ratio = 16384
[fs_types]
	ext4 = {
		features = ${features.join(",")}
	}
`;

export interface MkfsInput {
  /** Made, 0600; must not exist. */
  readonly target: string;
  readonly staging: string;
  /** For files of its own. */
  readonly tempDir: string;
  readonly geometry: Geometry;
  readonly uuid: string;
  readonly hashSeed: string;
}

/** Makes the file and the file system in it, with everything that is staged. */
export async function makeFileSystem(input: MkfsInput, context: ProgramContext): Promise<void> {
  const { target, geometry, tempDir } = input;
  await createSparse(target, geometry.sizeBytes, "make file system");
  const configFile = join(tempDir, "mke2fs.conf");
  await writeFile(configFile, config, { flag: "wx", mode: 0o600 });
  const wrapper = await ownerWrapper(context);
  const args = mkfsArguments(input);
  const options = { wrapper, env: { MKE2FS_CONFIG: configFile } };
  const { exitCode, stderr } = await runProgram("mkfs.ext4", args, context, options);
  if (exitCode === 0) return;
  throw mkfsFailure(exitCode, complaints(stderr), target);
}

export function mkfsArguments({ target, staging, geometry, uuid, hashSeed }: MkfsInput): readonly string[] {
  const fixed = ["-F", "-q", "-t", "ext4", "-b", String(blockBytes), "-I", String(inodeBytes), "-m", "0"];
  const sized = ["-N", String(geometry.inodes), "-J", `size=${geometry.journalMiB}`];
  const extended = `root_owner=0:0,hash_seed=${hashSeed}`;
  const named = ["-O", `none,${features.join(",")}`, "-E", extended, "-U", uuid];
  return [...fixed, ...sized, ...named, "-d", staging, target, String(geometry.blocks)];
}

/**
 * Where we are not root: a user namespace in which our own files are root's, so that hardly an owner is left for
 * the script. Where the system refuses one, mkfs runs as we are, and the script gets longer.
 */
async function ownerWrapper({ signal }: ProgramContext): Promise<readonly string[]> {
  if (process.geteuid?.() === 0) return [];
  const wrapper = ["unshare", "--map-root-user", "--"];
  const op = "try a user namespace";
  try {
    const options = { op, signal, timeoutMs: 10_000, maxOutputBytes: 64 * 1024 };
    const { exitCode } = await run("unshare", [...wrapper.slice(1), "true"], options);
    return exitCode === 0 ? wrapper : [];
  } catch (error) {
    const known = asBangerError(error, op);
    if (known.reason === "CANCELLED") throw known;
    return [];
  }
}

function mkfsFailure(exitCode: number | null, said: string, target: string): BangerError {
  const facts = { program: "mkfs.ext4", exitCode: String(exitCode), stderr: said };
  // strerror(3) under LC_ALL=C: the exit code is 1 for everything.
  if (said.includes("No space left on device") || said.includes("Disk quota exceeded")) {
    return new BangerError("DISK_FULL", `no space left to make ${target} (${said})`, {
      op: "make file system",
      hint: makeRoom("--state-dir"),
      facts,
    });
  }
  return new BangerError("E2FSPROGS_FAILED", `mkfs.ext4 failed: ${said || `exit code ${exitCode}`}`, {
    op: "make file system",
    facts,
  });
}
