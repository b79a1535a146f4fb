import type { JsonNode } from "../base/json.ts";
import { parseJson } from "../base/json.ts";
import type { Limits } from "../base/limits.ts";
import { isPlainUrl, kernelNamePattern } from "./kernel-ref.ts";
import type { CatalogEntry, KernelFileNames, KernelSource } from "./kernel-source.ts";

const versionPattern = /^[0-9A-Za-z][0-9A-Za-z.+~:_-]{0,127}$/;
const architecturePattern = /^[a-z0-9]{1,32}$/;
const sha256Pattern = /^[0-9a-f]{64}$/;
/** Inside of an archive or artifact: no folder's end, nothing that leads anywhere else. */
const fileNamePattern = /^(?!\/)(?!(?:.*\/)?\.{0,2}(?:\/|$))[\x21-\x7e]{1,1024}$/;
/** `parseReference` has the last word once the kernel is wanted; this is no control character and no megabyte. */
const referencePattern = /^[\x21-\x7e]{1,1024}$/;
const debLocationPattern = /^\/[^\0]{1,4095}$/;

/**
 * Parses a catalog: docs/kernel-catalog.schema.json says the same. Members that are not known are passed over, so
 * that a catalog can say more than this version reads.
 *
 * @param catalog its name in the config, for the entries and for errors
 * @throws BangerError CATALOG_INVALID
 */
export function parseCatalog(
  bytes: Uint8Array,
  catalog: string,
  limits: Pick<Limits, "catalogEntries">,
): readonly CatalogEntry[] {
  const subject = `the kernel catalog ${catalog}`;
  const root = parseJson(bytes, { reason: "CATALOG_INVALID", op: "parse catalog", subject });
  if (root.at("schemaVersion").natural() !== 1) root.at("schemaVersion").fail("is not 1");
  const kernels = root.at("kernels");
  if (!kernels.present) kernels.fail("is missing");
  const nodes = kernels.list();
  if (nodes.length > limits.catalogEntries) kernels.fail(`has more than ${limits.catalogEntries} entries`);
  return nodes.map((node) => ({
    catalog,
    name: matching(node.at("name"), kernelNamePattern, "is no kernel's name"),
    version: matching(node.at("version"), versionPattern, "is not a version"),
    architecture: matching(
      node.at("architecture"),
      architecturePattern,
      "is not an architecture as OCI names it",
    ),
    source: parseSource(node.at("source")),
  }));
}

function parseSource(node: JsonNode): KernelSource {
  const kinds = (["artifact", "url", "deb"] as const).filter((kind) => node.at(kind).present);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) return node.fail("is not one of artifact, url and deb");
  switch (kind) {
    case "artifact": {
      const reference = matching(node.at("artifact"), referencePattern, "is not a reference");
      return { kind, reference, ...parseFiles(node.at("files")) };
    }
    case "url": {
      const url = parseUrl(node.at("url"));
      return { kind, url, ...parsePin(node), ...parseFiles(node.at("files")) };
    }
    case "deb": {
      const location = node.at("deb");
      const isPath = debLocationPattern.test(location.text());
      return { kind, location: isPath ? location.text() : parseUrl(location), ...parsePin(node) };
    }
  }
}

function parsePin(node: JsonNode): { readonly sha256: string; readonly size?: number } {
  const sha256 = matching(node.at("sha256"), sha256Pattern, "is not 64 lower-case hex digits");
  const size = node.at("size").optionalNatural();
  if (size === 0) node.at("size").fail("is 0");
  return { sha256, ...(size === undefined ? {} : { size }) };
}

function parseFiles(node: JsonNode): { readonly files?: KernelFileNames } {
  if (!node.present) return {};
  const name = (part: "kernel" | "initrd" | "modules"): string | undefined =>
    node.at(part).present ? matching(node.at(part), fileNamePattern, "is not a file's path") : undefined;
  const [kernel, initrd, modules] = [name("kernel"), name("initrd"), name("modules")];
  return {
    files: {
      ...(kernel === undefined ? {} : { kernel }),
      ...(initrd === undefined ? {} : { initrd }),
      ...(modules === undefined ? {} : { modules }),
    },
  };
}

function parseUrl(node: JsonNode): string {
  return isPlainUrl(node.text())
    ? node.text()
    : node.fail("is not a http or https URL, or has credentials in it");
}

function matching(node: JsonNode, pattern: RegExp, problem: string): string {
  const text = node.text();
  return pattern.test(text) ? text : node.fail(problem);
}
