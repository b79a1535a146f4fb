import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { PullState } from "../../gen/banger/image/v1/pull_pb.ts";
import { ImageService } from "../../gen/banger/image/v1/image_service_pb.ts";
import { VerifyDepth } from "../../gen/banger/image/v1/pull_pb.ts";
import { messageOf } from "../../src/base/error.ts";
import type { Rpc } from "../../src/client/rpc.ts";
import { namesBelow, type DaemonHome } from "../system/daemon-process.ts";

const { signal } = new AbortController();

/**
 * What a daemon that has just started over the leavings of another one shows of them. Empty where all is well: the
 * images are whole and there is one row for each folder, nothing is half done, and no litter is left.
 */
export async function litter(home: DaemonHome, rpc: Rpc): Promise<readonly string[]> {
  const found: string[] = [];
  const { images } = await rpc.unary(
    ImageService.method.listImages,
    { pageSize: 1000, includeNameless: true },
    signal,
  );
  const rows = new Set(images.map(({ id }) => id));
  const folders = new Set(topNames(join(home.state, "images")));
  for (const id of rows.difference(folders)) found.push(`the row ${id} has no folder`);
  for (const id of folders.difference(rows)) found.push(`the folder images/${id} has no row`);
  for (const { id } of images) {
    const request = { image: id, depth: VerifyDepth.FULL };
    try {
      const { differences } = await rpc.unary(ImageService.method.verifyImage, request, signal);
      for (const { path, field } of differences) found.push(`${id}: ${path} differs in ${field}`);
    } catch (error) {
      found.push(`${id} can't be verified: ${messageOf(error)}`);
    }
  }
  const { pulls } = await rpc.unary(ImageService.method.listPulls, { pageSize: 1000 }, signal);
  for (const { id, state } of pulls) {
    if (state === PullState.RUNNING || state === PullState.WAITING) found.push(`the pull ${id} never ended`);
  }
  found.push(...strayFiles(home));
  return found;
}

/** Names that no state folder, cache or temporary folder at rest has. */
export function strayFiles({ state, cache, temp }: DaemonHome): readonly string[] {
  const own = topNames(temp);
  return [
    ...(own.length > 1 ? [`the temporary folder has ${own.join(", ")}`] : []),
    ...own.flatMap((name) =>
      namesBelow(join(temp, name)).map((left) => `left in the temporary folder: ${left}`),
    ),
    ...namesBelow(state)
      .filter(
        (name) =>
          !/^(banger\.db(-wal|-shm)?|daemon\.json|daemon\.ballast|.*\.lock|images(\/.*)?|kernels|\.[^/]*)$/.test(
            name,
          ),
      )
      .map((name) => `left in the state folder: ${name}`),
    ...namesBelow(join(state, "images"))
      .filter((name) => name.includes(".staging") || name.includes(".trash") || /\.tmp|~/.test(name))
      .map((name) => `left in images/: ${name}`),
    ...namesBelow(join(cache, "oci", "blobs"))
      .filter((name) => !/^sha256(\/[0-9a-f]{64})?$/.test(name))
      .map((name) => `left among the blobs: ${name}`),
  ];
}

function topNames(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith("."));
  } catch {
    return [];
  }
}

/** Files below the home that a process holds open, the store's own left out, and those that are deleted already. */
export function openFiles(pid: number, home: DaemonHome): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((fd) => {
    try {
      const path = readlinkSync(join(folder, fd));
      const ours = path.startsWith(`${home.folder}/`) && !/banger\.db|\.lock$|\/control$/.test(path);
      return ours ? [path] : [];
    } catch {
      // Closed between the two calls.
      return [];
    }
  });
}

/** Processes that were started with this environment and live still; zombies have nothing left to give back. */
export function processesWith(variable: string): readonly string[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      if (!readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(variable)) return [];
      const state = /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
      return state === "Z" ? [] : [`${pid} ${readFileSync(`/proc/${pid}/comm`, "latin1").trim()}`];
    } catch {
      // It ended while it was looked at.
      return [];
    }
  });
}
