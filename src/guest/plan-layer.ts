import { utf8Bytes, type ByteString } from "../base/bytes.ts";
import { BangerError } from "../base/error.ts";
import { lookUpPath, placeOf } from "../layers/resolve-path.ts";
import { joinPath, parentPath, type CleanPath } from "../layers/entry-path.ts";
import type { Inode, RootTree } from "../layers/root-tree.ts";
import type { FileAsset, GuestAsset } from "./asset.ts";
import type { GuestAssets } from "./assets.ts";
import { initConf, type ProcessConfig } from "./init-conf.ts";

/** Raised whenever the same assets would make another layer: part of an image's options key. */
export const guestLayerVersion = 1;

/** Where the kernel looks for an init (init/main.c, `kernel_init`), and where systemd lives. */
export const initPaths = [
  "sbin/init",
  "etc/init",
  "bin/init",
  "lib/systemd/systemd",
  "usr/lib/systemd/systemd",
] as const;

export interface GuestLayerOptions {
  readonly config: ProcessConfig;
  /** The image's machine id and SSH host keys stay. */
  readonly keepIdentity: boolean;
}

/** The layer to be laid over an image: what it puts there, and what it takes away or empties. */
export interface GuestLayerPlan {
  readonly assets: readonly GuestAsset[];
  /** Clean paths to be hidden by whiteouts. */
  readonly removed: readonly CleanPath[];
  /** Clean paths to be made empty files. */
  readonly emptied: readonly CleanPath[];
}

const marker = "var/lib/banger/first-boot-pending";

/**
 * Decides what goes into an image, from its finished tree. Pure.
 *
 * @throws BangerError LAYER_UNSAFE where the image's own symlinks go in a circle on the way to an asset's place;
 *   MANIFEST_INVALID where its config can't be given to an init.
 */
export function planGuestLayer(
  tree: RootTree,
  assets: GuestAssets,
  options: GuestLayerOptions,
): GuestLayerPlan {
  const { keepIdentity, config } = options;
  const chosen = new Map<string, GuestAsset>();
  for (const asset of [...assets.common, firstBootMarker(keepIdentity)]) chosen.set(asset.path, asset);
  if (!hasInit(tree, assets.own)) {
    for (const asset of initAssets(assets.init, config)) chosen.set(asset.path, asset);
  }
  for (const asset of assets.own) chosen.set(asset.path, asset);
  const wanted = [...chosen.values()].filter((asset) => isNew(tree, asset));
  const places = new Set(wanted.map(({ path }) => placeFor(tree, path)));
  const { removed, emptied } = keepIdentity ? { removed: [], emptied: [] } : planScrub(tree);
  // A machine id of the user's own is no shared one of the image.
  return { assets: wanted, removed, emptied: emptied.filter((path) => !places.has(path)) };
}

/** What it notes as done is not done: who keeps an image's identity does not want first boot to replace it. */
function firstBootMarker(keepIdentity: boolean): FileAsset {
  const content = Buffer.from(keepIdentity ? "done machine-id\ndone ssh-keys\n" : "");
  return { kind: "file", path: marker, mode: 0o644, content };
}

/** The config's Env may hold secrets, which in a container only its own processes see. */
function initAssets(init: Buffer, config: ProcessConfig): readonly FileAsset[] {
  return [
    { kind: "file", path: "sbin/init", mode: 0o755, content: init },
    { kind: "file", path: "etc/banger/init.conf", mode: 0o600, content: initConf(config) },
  ];
}

function hasInit(tree: RootTree, own: readonly GuestAsset[]): boolean {
  return initPaths.some((path) => {
    if (own.some((asset) => asset.path === path)) return true;
    const inode = lookUpPath(tree, utf8Bytes(path));
    return inode?.kind === "file" && (inode.mode & 0o111) !== 0 && !isIdleBusybox(tree, inode);
  });
}

/** What BusyBox's init has nothing to start without: OpenRC, as in Alpine, or the script of its built-in inittab. */
const busyboxScripts = ["sbin/openrc", "usr/sbin/openrc", "etc/init.d/rcS"] as const;

/**
 * BusyBox installs links for all it can do, `init` among them, in images that are made for containers too: there it
 * would come up, and run nothing.
 */
function isIdleBusybox(tree: RootTree, init: Inode): boolean {
  const isBusybox = ["bin/busybox", "usr/bin/busybox"].some(
    (path) => lookUpPath(tree, utf8Bytes(path)) === init,
  );
  return isBusybox && !busyboxScripts.some((path) => lookUpPath(tree, utf8Bytes(path))?.kind === "file");
}

/** A folder that the image has keeps its owner and mode. */
function isNew(tree: RootTree, asset: GuestAsset): boolean {
  return asset.kind !== "directory" || lookUpPath(tree, utf8Bytes(asset.path))?.kind !== "directory";
}

function placeFor(tree: RootTree, path: string): CleanPath {
  const place = placeOf(tree, utf8Bytes(path));
  if (place !== undefined) return place.path;
  throw new BangerError(
    "LAYER_UNSAFE",
    `/${path} can't be put into the image: its own symbolic links go in a circle on the way there`,
    {
      op: "inject guest agents",
      hint: "Mend the links in the image, or pull with --no-agents.",
      facts: { path: `/${path}`, rule: "symlink-loop" },
    },
  );
}

/** What makes two machines of one image the same to others: systemd's and D-Bus's id, and the SSH host keys. */
function planScrub(tree: RootTree): Pick<GuestLayerPlan, "removed" | "emptied"> {
  const emptied: CleanPath[] = [];
  const machineId = placeOf(tree, utf8Bytes("etc/machine-id"));
  const { inode } = machineId ?? {};
  const isEmptyFile = inode?.kind === "file" && inode.size === 0;
  if (machineId !== undefined && inode !== undefined && inode.kind !== "directory" && !isEmptyFile) {
    emptied.push(machineId.path);
  }
  const dbus = placeOf(tree, utf8Bytes("var/lib/dbus/machine-id"));
  if (dbus?.inode?.kind === "file" && dbus.inode.size > 0) emptied.push(dbus.path);
  return { emptied, removed: sshHostKeys(tree) };
}

function sshHostKeys(tree: RootTree): readonly CleanPath[] {
  const folder = lookUpPath(tree, utf8Bytes("etc/ssh"));
  const place = placeOf(tree, utf8Bytes("etc/ssh/x"));
  if (folder?.kind !== "directory" || place === undefined) return [];
  const above = parentPath(place.path);
  const isKey = (name: ByteString): boolean => /^ssh_host_.*_key/s.test(name);
  return [...folder.children]
    .filter(([name, inode]) => isKey(name) && inode.kind !== "directory")
    .map(([name]) => joinPath(above, name))
    .sort();
}
