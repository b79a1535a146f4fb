import { BangerError } from "../base/error.ts";

/** OCI image-spec, image-index.md: what a manifest's programs run on. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** As `v8`; absent where the architecture has none that matters. */
  readonly variant?: string;
  readonly osVersion?: string;
  readonly osFeatures?: readonly string[];
}

const component = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/**
 * Parses `os/architecture[/variant]`, as `linux/arm64` or `linux/arm/v7`, into its normal form.
 *
 * @throws BangerError PLATFORM_INVALID, for an operating system that no microVM of ours boots too.
 */
export function parsePlatform(text: string): Platform {
  const parts = text.split("/");
  const [os, architecture, variant] = parts;
  const wellFormed = parts.length >= 2 && parts.length <= 3 && parts.every((part) => component.test(part));
  if (os === undefined || architecture === undefined || !wellFormed) {
    throw invalid(text, "is not of the form os/architecture[/variant]");
  }
  const platform = normalizePlatform({ os, architecture, ...(variant === undefined ? {} : { variant }) });
  if (platform.os !== "linux") throw invalid(text, "is not a Linux platform, and only Linux can be booted");
  return platform;
}

function invalid(text: string, problem: string): BangerError {
  const description = `${JSON.stringify(text.slice(0, 200))} ${problem}`;
  return new BangerError("PLATFORM_INVALID", `platform ${description}`, {
    op: "parse platform",
    hint: "Give one like linux/amd64 or linux/arm64.",
    fields: [{ field: "platform", description }],
  });
}

/** As people write it: `linux/arm/v7`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** One name for each platform: containerd/platforms, `database.go`, normalizeOS and normalizeArch. */
export function normalizePlatform(platform: Platform): Platform {
  const os = platform.os.toLowerCase() === "macos" ? "darwin" : platform.os.toLowerCase();
  const { variant: _variant, ...rest } = platform;
  const { architecture, variant } = normalizeArchitecture(
    platform.architecture.toLowerCase(),
    (platform.variant ?? "").toLowerCase(),
  );
  return { ...rest, os, architecture, ...(variant === "" ? {} : { variant }) };
}

interface Architecture {
  readonly architecture: string;
  readonly variant: string;
}

function normalizeArchitecture(architecture: string, variant: string): Architecture {
  switch (architecture) {
    case "i386":
      return { architecture: "386", variant: "" };
    case "x86_64":
    case "x86-64":
    case "amd64":
      return { architecture: "amd64", variant: variant === "v1" ? "" : variant };
    case "aarch64":
    case "arm64":
      return { architecture: "arm64", variant: variant === "8" || variant === "v8" ? "" : variant };
    case "armhf":
      return { architecture: "arm", variant: "v7" };
    case "armel":
      return { architecture: "arm", variant: "v6" };
    case "arm":
      return { architecture: "arm", variant: variant === "" ? "v7" : variant.replace(/^(?=\d)/, "v") };
    default:
      return { architecture, variant };
  }
}

/** The lowest version of an architecture's variants, which is also what no variant means. */
const baseVariant: Readonly<Record<string, number>> = { amd64: 1, arm64: 8, arm: 5 };

/**
 * How well programs for `offered` suit `wanted`: 0 is exact, larger is an older variant that `wanted` runs too,
 * undefined is not at all. A v7 ARM runs v6 and v5, an amd64/v3 all below it. Unlike containerd, another
 * architecture is never taken instead (386 for amd64): the guest agent would not run beside it.
 */
export function platformDistance(wanted: Platform, offered: Platform): number | undefined {
  const want = normalizePlatform(wanted);
  const offer = normalizePlatform(offered);
  if (want.os !== offer.os || want.architecture !== offer.architecture) return undefined;
  if (want.osVersion !== undefined && want.osVersion !== offer.osVersion) return undefined;
  const features = offer.osFeatures ?? [];
  if (!(want.osFeatures ?? []).every((feature) => features.includes(feature))) return undefined;
  if (want.variant === offer.variant) return 0;
  const wantLevel = variantLevel(want);
  const offerLevel = variantLevel(offer);
  if (wantLevel === undefined || offerLevel === undefined || offerLevel > wantLevel) return undefined;
  return wantLevel - offerLevel;
}

function variantLevel({ architecture, variant }: Platform): number | undefined {
  if (variant === undefined) return baseVariant[architecture];
  const match = /^v(\d{1,3})(?:\.(\d{1,3}))?$/.exec(variant);
  if (match === null || baseVariant[architecture] === undefined) return undefined;
  return Number(match[1]) + Number(match[2] ?? 0) / 1000;
}

/** Build tools put attestations into an index as `unknown/unknown`: no image. */
export function isUnknownPlatform(platform: Platform): boolean {
  return platform.os === "unknown" || platform.architecture === "unknown";
}
