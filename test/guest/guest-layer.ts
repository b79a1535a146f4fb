import { digestOf } from "../../src/base/digest.ts";
import type { GuestAsset } from "../../src/guest/asset.ts";
import type { GuestAssets } from "../../src/guest/assets.ts";
import type { ProcessConfig } from "../../src/guest/init-conf.ts";

export const noProcess: ProcessConfig = {
  entrypoint: [],
  cmd: [],
  env: [],
  workingDir: "",
  user: "",
  stopSignal: "",
};

export function fileAsset(path: string, content: string, mode = 0o644): GuestAsset {
  return { kind: "file", path, mode, content: Buffer.from(content) };
}

/** Small stand-ins for what the package brings. */
export function assetsOf(own: readonly GuestAsset[] = []): GuestAssets {
  return {
    common: [fileAsset("usr/local/bin/banger-vsock-agent", "agent", 0o755)],
    init: Buffer.from("init"),
    own,
    digest: digestOf(Buffer.from("assets")),
  };
}
