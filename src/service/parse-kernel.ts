import { isAbsolute } from "node:path";
import type { PullOptions } from "../../gen/banger/image/v1/pull_pb.ts";
import { BangerError, type FieldViolation } from "../base/error.ts";
import type { KernelFilePaths } from "../kernel/assemble.ts";
import { kernelNamePattern, parseKernelRef } from "../kernel/kernel-ref.ts";
import type { RequestedKernel } from "../pull/request.ts";

const op = "read request";

/**
 * The kernel that a pull's options ask for; undefined where they ask for none.
 *
 * @throws BangerError OPTION_INVALID, NAME_INVALID, REFERENCE_INVALID, with a violation for each wrong field.
 */
export function parseRequestedKernel(options: PullOptions): RequestedKernel | undefined {
  const { kernel, modulesIntoRootfs } = options;
  if (kernel === undefined) {
    if (!modulesIntoRootfs) return undefined;
    throw refuse([["modules_into_rootfs", "It takes a kernel: give kernel.ref, or kernel.kernel_path."]]);
  }
  const { ref, kernelPath, initrdPath, modulesPath } = kernel;
  const paths = { kernel_path: kernelPath, initrd_path: initrdPath, modules_path: modulesPath };
  const given = Object.entries(paths).filter(([, path]) => path !== "");
  if (ref !== "") {
    if (given.length > 0) {
      throw refuse([
        ["kernel.ref", "It names a kernel with all its files: leave the paths out, or this."],
        ...given.map(([field]): [string, string] => [`kernel.${field}`, "It goes without kernel.ref."]),
      ]);
    }
    parseKernelRef(ref);
    return { selection: { kind: "ref", ref }, modulesIntoRootfs };
  }
  if (kernelPath === "") {
    const what = given.length === 0 ? "It names a kernel" : "They belong to a kernel";
    throw refuse([["kernel", `${what}: give kernel.ref, or kernel.kernel_path.`]]);
  }
  const files = parseFiles(kernelPath, initrdPath, modulesPath, "options.kernel.");
  if (modulesIntoRootfs && files.modulesPath === undefined) {
    throw refuse([["kernel.modules_path", "It is what modules_into_rootfs puts into the image: give it."]]);
  }
  return { selection: { kind: "files", files }, modulesIntoRootfs };
}

/** @throws BangerError OPTION_INVALID for a path that is missing or relative. */
export function parseFiles(
  kernelPath: string,
  initrdPath: string,
  modulesPath: string,
  prefix = "",
): KernelFilePaths {
  const fields = { kernel_path: kernelPath, initrd_path: initrdPath, modules_path: modulesPath };
  const wrong = Object.entries(fields)
    .filter(([field, path]) =>
      path === "" ? field === "kernel_path" : !isAbsolute(path) || path.includes("\0"),
    )
    .map(([field]): FieldViolation => {
      return {
        field: `${prefix}${field}`,
        description: "It is not an absolute path of the daemon's machine.",
      };
    });
  const [first] = wrong;
  if (first === undefined) {
    return { kernelPath, initrdPath: initrdPath || undefined, modulesPath: modulesPath || undefined };
  }
  throw new BangerError("OPTION_INVALID", `${first.field}: ${first.description}`, {
    op,
    hint: "Give whole paths, from the root, of files that bangerd may read.",
    fields: wrong,
  });
}

/**
 * What a kernel that is pulled is to be called here; undefined for its usual name.
 *
 * @throws BangerError NAME_INVALID, REFERENCE_INVALID; OPTION_INVALID for a catalog's entry, which keeps its name.
 */
export function parseLocalName(ref: string, localName: string): string | undefined {
  if (localName === "") return undefined;
  if (parseKernelRef(ref).kind === "source") return parseKernelName(localName, "local_name");
  const description = `A catalog's entry keeps its name: ${JSON.stringify(ref)}.`;
  throw new BangerError("OPTION_INVALID", `local_name: ${description}`, {
    op,
    hint: "Leave --name out, or name the kernel's source itself: deb:…, artifact:…, URL@sha256:….",
    fields: [{ field: "local_name", description }],
  });
}

/** @throws BangerError NAME_INVALID. */
export function parseKernelName(name: string, field = "name"): string {
  if (kernelNamePattern.test(name)) return name;
  const description = `${JSON.stringify(name.slice(0, 200))} is not a name`;
  throw new BangerError("NAME_INVALID", `kernel name ${description}`, {
    op,
    hint: "Use up to 63 lower-case letters, digits, dots, dashes and underscores, a letter or digit first.",
    fields: [{ field, description }],
  });
}

function refuse(wrong: readonly (readonly [field: string, description: string])[]): BangerError {
  const fields = wrong.map(([field, description]) => ({ field: `options.${field}`, description }));
  const said = fields.map(({ field, description }) => `${field}: ${description}`).join(" ");
  return new BangerError("OPTION_INVALID", said, {
    op,
    hint: "Give --kernel-ref NAME, or --kernel FILE with --initrd and --modules as it needs them.",
    fields,
  });
}
