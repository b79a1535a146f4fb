import { parseDigest, type Digest } from "../base/digest.ts";
import type { JsonNode } from "../base/json.ts";
import { parseJson } from "../base/json.ts";
import { unsupported, type ImageConfig } from "./manifest.ts";
import { normalizePlatform, type Platform } from "./platform.ts";

/**
 * Parses an image's config (OCI image-spec config.md) whose bytes are verified already.
 *
 * @throws BangerError MANIFEST_INVALID, also where the number of diffIDs is not that of the layers;
 *   MANIFEST_UNSUPPORTED for Windows.
 */
export function parseConfig(bytes: Uint8Array, digest: Digest, layerCount: number): ImageConfig {
  const subject = `config ${digest}`;
  const root = parseJson(bytes, { reason: "MANIFEST_INVALID", op: "parse config", subject });
  const platform = normalizePlatform(parsePlatformOf(root));
  if (platform.os === "windows") throw unsupported(subject, "of a Windows image");
  const rootfs = root.at("rootfs");
  const type = rootfs.at("type").text();
  if (type !== "layers") rootfs.at("type").fail('is not "layers"');
  const diffIds = rootfs.at("diff_ids").texts();
  if (diffIds.length !== layerCount) {
    rootfs.at("diff_ids").fail(`has ${diffIds.length} digests for ${layerCount} layers`);
  }
  return {
    digest,
    platform,
    diffIds: diffIds.map((text) => parseDigest(text, "parse config")),
    created: root.at("created").optionalText(),
    ...parseExecution(root.at("config")),
  };
}

/** The members that say what an index entry or a config runs on: image-index.md and config.md name them alike. */
export function parsePlatformOf(node: JsonNode): Platform {
  const variant = node.at("variant").optionalText() ?? "";
  const osVersion = node.at("os.version").optionalText() ?? "";
  const osFeatures = node.at("os.features").texts();
  return {
    os: node.at("os").text(),
    architecture: node.at("architecture").text(),
    ...(variant === "" ? {} : { variant }),
    ...(osVersion === "" ? {} : { osVersion }),
    ...(osFeatures.length === 0 ? {} : { osFeatures }),
  };
}

type Execution = Pick<
  ImageConfig,
  "entrypoint" | "cmd" | "env" | "workingDir" | "user" | "labels" | "exposedPorts" | "stopSignal"
>;

function parseExecution(node: JsonNode): Execution {
  return {
    entrypoint: words(node.at("Entrypoint")),
    cmd: words(node.at("Cmd")),
    env: node.at("Env").texts(),
    workingDir: node.at("WorkingDir").optionalText() ?? "",
    user: node.at("User").optionalText() ?? "",
    labels: node.at("Labels").textMap(),
    exposedPorts: node.at("ExposedPorts").keys(),
    stopSignal: node.at("StopSignal").optionalText() ?? "",
  };
}

/** Docker's `strslice`: old configs have a single string where a list is meant. */
function words(node: JsonNode): readonly string[] {
  return !node.present || node.isList() ? node.texts() : [node.text()];
}
