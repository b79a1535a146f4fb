/**
 * Why an operation failed. The list is closed: clients decide on it, documentation explains each, and
 * `service/status.ts` gives each its gRPC code.
 */
export const reasons = [
  // What the caller asked for can't be right.
  "REFERENCE_INVALID",
  "NAME_INVALID",
  "PLATFORM_INVALID",
  "SIZE_INVALID",
  "SIZE_TOO_SMALL",
  "OPTION_INVALID",
  "CONFIG_INVALID",
  // What was asked for is not there, or is somebody else's.
  "MANIFEST_UNKNOWN",
  "BLOB_UNKNOWN",
  "PLATFORM_UNKNOWN",
  "IMAGE_UNKNOWN",
  "PULL_UNKNOWN",
  "KERNEL_UNKNOWN",
  "FILE_UNKNOWN",
  "LEASE_UNKNOWN",
  "SOURCE_UNKNOWN",
  "NAME_TAKEN",
  "IMAGE_IN_USE",
  // The registry.
  "REGISTRY_AUTH",
  "REGISTRY_UNAVAILABLE",
  "REGISTRY_PROTOCOL",
  "RATE_LIMITED",
  // The policy on signatures.
  "SIGNATURE_REQUIRED",
  "SIGNATURE_INVALID",
  // The image's documents.
  "MANIFEST_INVALID",
  "MANIFEST_UNSUPPORTED",
  // The image's layers.
  "LAYER_UNSAFE",
  "LAYER_INVALID",
  "LAYER_UNENCODABLE",
  "LOSS_REFUSED",
  // Kernels.
  "CATALOG_INVALID",
  "CATALOG_UNAVAILABLE",
  "KERNEL_SOURCE_INVALID",
  "KERNEL_INVALID",
  "KERNEL_MISMATCH",
  "KERNEL_AMBIGUOUS",
  "KERNEL_IN_USE",
  // Bytes that are not what they were said to be.
  "DIGEST_MISMATCH",
  "SIZE_MISMATCH",
  "DIFFID_MISMATCH",
  "VERIFY_FAILED",
  "FILESYSTEM_CORRUPT",
  // Bounds.
  "DISK_FULL",
  "LIMIT_DOCUMENT_SIZE",
  "LIMIT_INDEX_ENTRIES",
  "LIMIT_LAYERS",
  "LIMIT_ENTRIES",
  "LIMIT_PATH",
  "LIMIT_PAX",
  "LIMIT_XATTRS",
  "LIMIT_SPARSE_MAP",
  "LIMIT_INFLATED",
  "LIMIT_RATIO",
  "TOO_MANY_PULLS",
  "TOO_MANY_STREAMS",
  "TOO_MANY_LEASES",
  "TIMED_OUT",
  // The machine.
  "GUEST_ASSETS_MISSING",
  "E2FSPROGS_MISSING",
  "E2FSPROGS_TOO_OLD",
  "E2FSPROGS_FAILED",
  "XZ_MISSING",
  "KMOD_MISSING",
  "FILESYSTEM_ERROR",
  "PERMISSION_DENIED",
  // The daemon.
  "STATE_LOCKED",
  "STATE_UNSAFE",
  "STORE_FAILED",
  "SOCKET_INVALID",
  "DAEMON_UNREACHABLE",
  "SHUTTING_DOWN",
  "CREDENTIALS_GONE",
  "CANCELLED",
  "NOT_IMPLEMENTED",
  "INTERNAL",
] as const;

export type Reason = (typeof reasons)[number];

export function isReason(value: string): value is Reason {
  return reasons.some((reason) => reason === value);
}
