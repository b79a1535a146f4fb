import { createHash } from "node:crypto";
import type { Digest } from "../base/digest.ts";
import type { BuilderName } from "../ext4/builder.ts";
import { modulesLayerVersion } from "../guest/modules-layer.ts";
import { guestLayerVersion } from "../guest/plan-layer.ts";
import type { KernelFacts } from "../kernel/kernel-record.ts";
import type { PullRequest } from "./request.ts";

/** The builder that makes images where the request names none. */
export const defaultBuilder: BuilderName = "direct";

/**
 * Everything in a request, besides the digest of what is pulled, that decides the bytes of the root file system. Part
 * of what the store keeps: a change of its form must raise the version in it.
 *
 * @param assets digest of the guest assets; undefined where none go in
 * @param modules of a kernel's files; undefined where its modules stay outside
 */
export function rootfsKey(request: PullRequest, assets: Digest | undefined, modules?: Digest): string {
  const size = request.sizeBytes === undefined ? "auto" : String(request.sizeBytes);
  const agents = assets === undefined ? "no" : `${guestLayerVersion}:${assets}`;
  const identity = assets !== undefined && !request.keepIdentity ? "scrubbed" : "kept";
  const more = modules === undefined ? "" : ` modules=${modulesLayerVersion}:${modules}`;
  return `v2 builder=${request.builder ?? defaultBuilder} size=${size} agents=${agents} identity=${identity}${more}`;
}

/**
 * What decides the image, with the kernel that stands beside it. Two pulls with equal digest and key share one build.
 *
 * @param rootfs as `rootfsKey` has it
 */
export function optionsKey(
  rootfs: string,
  kernel: { readonly name: string; readonly facts: Pick<KernelFacts, "contentDigest"> } | undefined,
): string {
  return kernel === undefined ? rootfs : `${rootfs} kernel=${kernel.name}@${kernel.facts.contentDigest}`;
}

/**
 * A UUID that follows from the inputs alone, so that the same image is the same bytes wherever it is built. RFC
 * 9562 section 5.8 (version 8) leaves the bits to us.
 */
export function derivedUuid(purpose: string, manifestDigest: Digest, key: string): string {
  const bytes = createHash("sha256").update(`${purpose}\0${manifestDigest}\0${key}`).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Of the root file system, as a kernel with an initrd finds it. */
export function filesystemUuid(plan: {
  readonly image: { readonly manifestDigest: Digest };
  readonly rootfsKey: string;
}): string {
  return derivedUuid("file system", plan.image.manifestDigest, plan.rootfsKey);
}
