import { hasReason } from "../base/error.ts";
import { parseJson, type JsonNode } from "../base/json.ts";
import { builderNames, type BuilderName } from "../ext4/builder.ts";
import type { Platform } from "../oci/platform.ts";
import type { StoredRequest } from "../store/records.ts";
import type { PullRequest, RequestedKernel } from "./request.ts";

/** All that a request says but its credentials, which are kept nowhere. */
type Kept = Required<Omit<PullRequest, "credentials">>;

/** One parser a field, so that a new field can't be forgotten. */
const parsers: { readonly [K in keyof Kept]: (node: JsonNode) => Kept[K] } = {
  reference: (node) => node.text(),
  name: (node) => node.optionalText(),
  platform: parsePlatform,
  sizeBytes: (node) => node.optionalNatural(),
  builder: parseBuilder,
  noAgents: flag,
  keepIdentity: flag,
  strict: flag,
  verify: (node) => oneOf(node, ["metadata", "full"]),
  detached: flag,
  kernel: parseKernel,
};

/** What a restart needs to go on with a pull. */
export function storedRequest({ credentials, ...kept }: PullRequest): StoredRequest {
  return { json: JSON.stringify(kept), hadCredentials: credentials !== undefined };
}

/** The request of a pull that was cut off; undefined where it is of a version that said other things. */
export function parseStoredRequest(json: string): PullRequest | undefined {
  try {
    const context = { reason: "STORE_FAILED", op: "read stored pull", subject: "a stored pull" } as const;
    const node = parseJson(Buffer.from(json), context);
    return {
      reference: parsers.reference(node.at("reference")),
      name: parsers.name(node.at("name")),
      platform: parsers.platform(node.at("platform")),
      sizeBytes: parsers.sizeBytes(node.at("sizeBytes")),
      builder: parsers.builder(node.at("builder")),
      noAgents: parsers.noAgents(node.at("noAgents")),
      keepIdentity: parsers.keepIdentity(node.at("keepIdentity")),
      strict: parsers.strict(node.at("strict")),
      verify: parsers.verify(node.at("verify")),
      detached: parsers.detached(node.at("detached")),
      kernel: parsers.kernel(node.at("kernel")),
    };
  } catch (error) {
    if (hasReason(error, "STORE_FAILED")) return undefined;
    throw error;
  }
}

function parsePlatform(node: JsonNode): Platform {
  const variant = node.at("variant").optionalText();
  return {
    os: node.at("os").text(),
    architecture: node.at("architecture").text(),
    ...(variant === undefined ? {} : { variant }),
  };
}

function parseBuilder(node: JsonNode): BuilderName | undefined {
  return node.present ? oneOf(node, builderNames) : undefined;
}

function parseKernel(node: JsonNode): RequestedKernel | undefined {
  if (!node.present) return undefined;
  const selection = node.at("selection");
  const modulesIntoRootfs = flag(node.at("modulesIntoRootfs"));
  if (oneOf(selection.at("kind"), ["ref", "files"]) === "ref") {
    return { selection: { kind: "ref", ref: selection.at("ref").text() }, modulesIntoRootfs };
  }
  const files = selection.at("files");
  const paths = {
    kernelPath: files.at("kernelPath").text(),
    initrdPath: files.at("initrdPath").optionalText(),
    modulesPath: files.at("modulesPath").optionalText(),
  };
  return { selection: { kind: "files", files: paths }, modulesIntoRootfs };
}

function flag(node: JsonNode): boolean {
  return node.optionalFlag() ?? node.fail("is missing");
}

function oneOf<T extends string>(node: JsonNode, choices: readonly T[]): T {
  const text = node.text();
  return choices.find((choice) => choice === text) ?? node.fail(`is none of ${choices.join(", ")}`);
}
