import type { DaemonPaths } from "../service/paths.ts";
export async function startEmbedded(_paths: DaemonPaths, _signal: AbortSignal): Promise<AsyncDisposable> {
  throw new Error("later");
}
