import { stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { BangerError, errnoOf } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { readSmallFile } from "../base/small-file.ts";
import { endpointOf } from "./endpoint.ts";
import { parseHostsFile, serverUrl, type HostSettings } from "./hosts-file.ts";
import { upstreamPlace, type Place } from "./place.ts";

const op = "read hosts.toml";

export interface PlaceOptions {
  /** Folders like `/etc/containerd/certs.d`; the first that has something for a registry decides. */
  readonly certsDirs: readonly string[];
  readonly plainHttpHosts: readonly string[] | undefined;
  readonly limits: Pick<Limits, "hostsFileBytes">;
}

/**
 * The places that serve a registry's images, in the order in which they are asked: mirrors as a hosts.toml lists
 * them, the registry itself last.
 *
 * @throws BangerError CONFIG_INVALID
 */
export async function placesFor(domain: string, options: PlaceOptions): Promise<readonly Place[]> {
  const upstream = upstreamPlace(domain, options.plainHttpHosts);
  const folder = await findFolder(domain, options.certsDirs);
  if (folder === undefined) return [upstream];
  const path = join(folder, "hosts.toml");
  const text = await readSmall(path, options.limits.hostsFileBytes);
  if (text === undefined) return [upstream];
  const places: Place[] = [];
  for (const settings of parseHostsFile(text, path)) {
    places.push(await placeOf(settings, path, domain, upstream, options.limits));
  }
  return places;
}

/** containerd's `hostPaths`: a folder for host and port, in two spellings, or the one for all others. */
async function findFolder(domain: string, certsDirs: readonly string[]): Promise<string | undefined> {
  const [, host = domain, port] = /^(.*):(\d+)$/.exec(domain) ?? [];
  const names = [...(port === undefined ? [] : [`${host}_${port}_`]), domain, "_default"];
  for (const name of names) {
    for (const folder of certsDirs) {
      const path = join(folder, name);
      if (await isFolder(path)) return path;
    }
  }
  return undefined;
}

/** One that can't be looked into is an error: what it says of trust must not go unheard. */
async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    const code = errnoOf(error) ?? "unknown";
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw new BangerError("CONFIG_INVALID", `${path} can't be read (${code})`, { op, cause: error });
  }
}

async function placeOf(
  settings: HostSettings,
  path: string,
  domain: string,
  upstream: Place,
  limits: PlaceOptions["limits"],
): Promise<Place> {
  const { server, overridePath, mayPull, mayResolve, headers, skipVerify, dialTimeoutMs } = settings;
  const url = server === undefined ? undefined : serverUrl(server);
  const endpoint = url === undefined ? upstream.endpoint : endpointOf(url.host);
  const fixed = url !== undefined && (/^http/i.test(server ?? "") || url.pathname !== "/" || overridePath);
  const read = (file: string): Promise<string> => readNamed(resolve(dirname(path), file), path, limits);
  const extraCa = await Promise.all(settings.caFiles.map(read));
  const client = await Promise.all(
    settings.clientFiles.map(async ({ cert, key }) => ({ cert: await read(cert), key: await read(key) })),
  );
  return {
    endpoint,
    api: fixed ? apiUrl(url, overridePath) : undefined,
    namespace: endpoint.host === upstream.endpoint.host ? undefined : domain,
    mayPull,
    mayResolve,
    headers,
    tls: { extraCa, client, skipVerify, from: path },
    dialTimeoutMs,
  };
}

/** containerd's rule: `/v2` is added where the path doesn't end in it, unless the path is to be taken as it is. */
function apiUrl(url: URL, overridePath: boolean): URL {
  const path = url.pathname.replace(/\/+$/, "");
  const api = new URL(url);
  api.pathname = `${path}${overridePath || path.endsWith("/v2") ? "" : "/v2"}/`;
  return api;
}

async function readNamed(file: string, path: string, limits: PlaceOptions["limits"]): Promise<string> {
  const text = await readSmall(file, limits.hostsFileBytes);
  if (text !== undefined) return text;
  throw new BangerError("CONFIG_INVALID", `${path} names ${file}, which is not there`, { op });
}

/** Undefined where there is no such file. */
async function readSmall(path: string, limit: number): Promise<string | undefined> {
  const refuse = (problem: string, cause?: unknown): BangerError => {
    return new BangerError("CONFIG_INVALID", `${path} ${problem}`, { op, cause });
  };
  try {
    const bytes = await readSmallFile(path, limit);
    if (bytes === "not a file") throw refuse("is not a file");
    if (bytes === "too large") throw refuse(`is larger than ${limit} bytes`);
    return bytes.toString("utf8");
  } catch (error) {
    if (error instanceof BangerError) throw error;
    const code = errnoOf(error) ?? "unknown";
    if (code === "ENOENT") return undefined;
    throw refuse(`can't be read (${code})`, error);
  }
}
