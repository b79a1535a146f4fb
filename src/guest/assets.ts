import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseDigest, type Digest } from "../base/digest.ts";
import { BangerError, asBangerError, errnoOf } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import type { GuestAsset, LinkAsset } from "./asset.ts";
import { readAssetFolder } from "./asset-folder.ts";

/** All that may go into an image; held in memory, within `limits.guestAssetBytes`. */
export interface GuestAssets {
  /** For every image. */
  readonly common: readonly GuestAsset[];
  /** PID 1 for images that have none. */
  readonly init: Buffer;
  /** Of the user's own; these win over all others. */
  readonly own: readonly GuestAsset[];
  /** Of everything above: equal digests make equal images. */
  readonly digest: Digest;
}

/** Where to look, as the daemon was told. */
export interface GuestSources {
  /** The folder `guest/` of the package; undefined takes the one beside this program. */
  readonly guestDir?: string | undefined;
  /** A program to take the agent's place. */
  readonly agentPath: string | undefined;
  /** A folder laid over every image's root. */
  readonly assetsDir: string | undefined;
}

const op = "load guest assets";

/** What is copied as it is, from `guest/`: source, place in the image, mode. */
const copied: readonly (readonly [string, string, number])[] = [
  ["network-bootstrap", "usr/local/libexec/banger-network-bootstrap", 0o755],
  ["units/banger-network.service", "etc/systemd/system/banger-network.service", 0o644],
  ["first-boot", "usr/local/libexec/banger-first-boot", 0o755],
  ["units/banger-first-boot.service", "etc/systemd/system/banger-first-boot.service", 0o644],
  ["units/banger-vsock-agent.service", "etc/systemd/system/banger-vsock-agent.service", 0o644],
  ["modules-load.conf", "etc/modules-load.d/banger-vsock.conf", 0o644],
];

export const agentPath = "usr/local/bin/banger-vsock-agent";

const wanted = "etc/systemd/system/multi-user.target.wants";

/** What `systemctl enable` would do. */
const enabled: readonly LinkAsset[] = ["first-boot", "network", "vsock-agent"].map((name) => ({
  kind: "symlink",
  path: `${wanted}/banger-${name}.service`,
  target: `../banger-${name}.service`,
}));

/** The folder of the guest's sources, and of its programs once they are built: two up in a checkout, three in `dist/`. */
export function guestFolder(): string {
  const places = ["../..", "../../.."].map((up) => join(import.meta.dirname, up, "guest"));
  return places.find((place) => existsSync(join(place, "first-boot"))) ?? places[0] ?? "guest";
}

/** Whether the programs of `guest/` have been built. */
export function guestProgramsBuilt(): boolean {
  return ["banger-vsock-agent", "banger-init"].every((name) => existsSync(join(guestFolder(), "out", name)));
}

/**
 * Reads what goes into images, anew for each pull: a program built meanwhile counts at once.
 *
 * @throws BangerError GUEST_ASSETS_MISSING, CONFIG_INVALID for a folder of one's own that can't be used.
 */
export async function loadGuestAssets(
  sources: GuestSources,
  limits: Pick<Limits, "guestAssetBytes">,
): Promise<GuestAssets> {
  const folder = sources.guestDir ?? guestFolder();
  const budget = { left: limits.guestAssetBytes };
  const readers = (remedy: string) => (path: string) => readBounded(path, budget, remedy);
  const readBuilt = readers(howToBuild(folder));
  const readPackaged = readers("Install banger again: its package has that file.");
  const agent =
    sources.agentPath === undefined
      ? await readBuilt(join(folder, "out", "banger-vsock-agent"))
      : await readers("Name a program with BANGER_AGENT, or none to have banger's own.")(sources.agentPath);
  const common: GuestAsset[] = [{ kind: "file", path: agentPath, mode: 0o755, content: agent }, ...enabled];
  for (const [source, path, mode] of copied) {
    common.push({ kind: "file", path, mode, content: await readPackaged(join(folder, source)) });
  }
  const init = await readBuilt(join(folder, "out", "banger-init"));
  const readOwn = readers("Check the folder that BANGER_GUEST_ASSETS names.");
  const own = sources.assetsDir === undefined ? [] : await readAssetFolder(sources.assetsDir, readOwn);
  return { common, init, own, digest: digestOfAssets(common, init, own) };
}

/** The script stands beside the sources wherever the package is: a checkout, or npm's folder of global ones. */
function howToBuild(folder: string): string {
  const script = join(folder, "build.sh");
  const others = process.getuid?.() !== 0 && statSync(folder, { throwIfNoEntry: false })?.uid === 0;
  return `Build them with \`${others ? "sudo " : ""}${script}\`, which takes gcc and libc6-dev, or pull with --no-agents.`;
}

/** @param remedy what to do where it is not there */
async function readBounded(path: string, budget: { left: number }, remedy: string): Promise<Buffer> {
  try {
    const stats = await stat(path);
    if (!stats.isFile()) throw missing(path, "is no regular file", remedy);
    budget.left -= stats.size;
    if (budget.left < 0) {
      throw new BangerError(
        "CONFIG_INVALID",
        `with ${path}, the guest assets are larger than the limit allows`,
        {
          op,
          hint: "Put large files into the image itself, or raise guest_asset_bytes under [limits] in the config.",
        },
      );
    }
    const content = await readFile(path);
    if (content.length === stats.size) return content;
    throw new BangerError("CONFIG_INVALID", `${path} changed while it was read`, { op });
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR")
      throw missing(path, "is not there", remedy, error);
    throw asBangerError(error, op);
  }
}

function missing(path: string, what: string, hint: string, cause?: unknown): BangerError {
  return new BangerError(
    "GUEST_ASSETS_MISSING",
    `the guest's programs can't be put into the image: ${path} ${what}`,
    {
      op,
      hint,
      cause,
      facts: { path },
    },
  );
}

/** Lengths before what they are of, so that no two sets of assets read alike. */
function digestOfAssets(common: readonly GuestAsset[], init: Buffer, own: readonly GuestAsset[]): Digest {
  const hash = createHash("sha256");
  const put = (bytes: Buffer | string): void => {
    const data = Buffer.from(bytes);
    hash.update(`${data.length}:`).update(data);
  };
  put(init);
  for (const assets of [common, own]) {
    put(String(assets.length));
    for (const asset of assets) {
      put(`${asset.kind} ${asset.kind === "symlink" ? "" : asset.mode.toString(8)} ${asset.path}`);
      if (asset.kind === "file") put(asset.content);
      if (asset.kind === "symlink") put(asset.target);
    }
  }
  return parseDigest(`sha256:${hash.digest("hex")}`, op);
}
