const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/** Every bound on what comes from outside. The config may raise each. */
export interface Limits {
  /** Bytes of a manifest, index or config. Registries refuse larger ones; so does containerd (CVE-2023-25153). */
  readonly documentBytes: number;
  /** Entries of an index. Real ones have about 20. */
  readonly indexEntries: number;
  /** Layers of an image. Docker stops at 127; build tools have made several hundred. */
  readonly layers: number;
  /** Entries of all the layers together: what a tree in memory costs is bounded by it. */
  readonly entries: number;
  /** Bytes of a path, Linux's PATH_MAX. */
  readonly pathBytes: number;
  /** Bytes of one name, ext4's EXT4_NAME_LEN. */
  readonly nameBytes: number;
  /** Bytes of PAX records before one header, and of a GNU long name: they are held in memory. */
  readonly paxBytes: number;
  /**
   * Components of paths, and of the symlinks on their way, that merging an image's layers may follow. Each entry may
   * follow 40 links of 4 KiB; 5,000,000 ordinary ones follow a tenth of this, which takes some ten seconds.
   */
  readonly pathSteps: number;
  /** Bytes of one inode's xattrs, Linux's XATTR_SIZE_MAX. */
  readonly xattrBytes: number;
  /** Xattrs of one inode: four times what ext4 has room for in one block, as what is past its room is left out. */
  readonly xattrs: number;
  /**
   * Bytes of memory that a layer's xattrs may take, which would otherwise cost an attacker next to nothing. A label
   * of SELinux on each of 500,000 files takes 55 MiB.
   */
  readonly layerXattrBytes: number;
  /** Pieces of a layer's sparse files together. */
  readonly sparseSegments: number;
  /** Inflated bytes of an image. */
  readonly inflatedBytes: number;
  /** Inflated bytes for one compressed byte, past `ratioFreeBytes`: deflate can do 1,032:1, real layers 3:1. */
  readonly inflateRatio: number;
  /** Inflated bytes before the ratio counts: a small layer of zeros is legitimate. */
  readonly ratioFreeBytes: number;
  /**
   * Window of a zstd frame, as a power of two: 128 MiB, all that zstd's own decoder takes unless it is told
   * otherwise, and sixteen times what image builders write. A bomb touches all of it, once for each thread.
   */
  readonly zstdWindowLog: number;
  /**
   * Bytes of a layer's index, and of what is stored of an image's tree, which are read into memory: what the allowed
   * number of ordinary entries needs.
   */
  readonly indexFileBytes: number;
  /** Bytes of all guest assets together: they are held in memory. The package's own have 0.2 to 2 MB. */
  readonly guestAssetBytes: number;
  /** Pulls that build at once; the rest wait. */
  readonly concurrentPulls: number;
  /** Pulls that have not ended, those that wait included: each takes memory from its first moment. */
  readonly unfinishedPulls: number;
  /** Calls of all clients that stream, pulls and watchers among them: each takes memory for as long as it is open. */
  readonly streams: number;
  /** Of those, calls of one connection. */
  readonly clientStreams: number;
  /** Pulls that one connection follows at once. */
  readonly clientPulls: number;
  /** Pulls that ask their registries what an image is at once; the rest wait a moment. */
  readonly concurrentResolves: number;
  /** Blobs downloaded at once for one pull. Registries throttle past a handful of connections. */
  readonly concurrentDownloads: number;
  /** Bytes of an error body that are read from a registry. */
  readonly errorBodyBytes: number;
  /** Bytes of a token endpoint's answer. */
  readonly tokenBytes: number;
  /** Bytes of Docker's auth file. Real ones have a few thousand. */
  readonly authFileBytes: number;
  /** Bytes that a credential helper may print. Its answer is one short object. */
  readonly credentialHelperBytes: number;
  /** Milliseconds that a credential helper may take: some ask a cloud, some a person. */
  readonly credentialHelperMs: number;
  /** Bytes of a hosts.toml, or of a certificate that it names. Bundles of all public authorities have 250 KiB. */
  readonly hostsFileBytes: number;
  /** Members of an archive of an image: they are listed in memory. Docker writes about three a layer. */
  readonly archiveMembers: number;
  /** Signatures of one image that are looked at. Real images have one for each who signs. */
  readonly signatures: number;
  /** Bytes of one signature's payload or bundle. Those of cosign have 0.3 to 20 KiB. */
  readonly signatureBytes: number;
  /** Bytes of a file of public keys. One key has 200 to 800. */
  readonly publicKeyBytes: number;
  /** Redirects followed for one request. */
  readonly redirects: number;
  /** Tries of one request, the first included. */
  readonly attempts: number;
  /** Milliseconds until a connection is up, containerd's default; a hosts.toml may say otherwise for its host. */
  readonly dialMs: number;
  /** Milliseconds until a connection is up and its headers are here. */
  readonly responseMs: number;
  /** Milliseconds without a byte before a download is taken for dead. */
  readonly stallMs: number;
  /** Bytes a second that a download must reach over `slowWindowMs`, so that a drip ends too. */
  readonly minBytesPerSecond: number;
  readonly slowWindowMs: number;
  /** Longest Retry-After that is obeyed, in milliseconds; a longer one is an error that names it. */
  readonly retryAfterMs: number;
  /**
   * Bytes of a kernel, its initrd and its modules together. A distribution's with all its modules has half a GiB; what
   * is no kernel at all, as a disk, ends here.
   */
  readonly kernelBytes: number;
  /** Files and folders of a kernel's modules: they are hashed, and each becomes an inode. Debian's have 4,000. */
  readonly kernelFiles: number;
  /** Bytes of a kernel catalog: what its allowed entries need. */
  readonly catalogBytes: number;
  /** Entries of a kernel catalog: they are held in memory, and all are listed. */
  readonly catalogEntries: number;
  /** Milliseconds that fetching one catalog may take before its copy in the cache is used: somebody waits. */
  readonly catalogMs: number;
  /** Bytes kept of a program's stdout and stderr. */
  readonly programOutputBytes: number;
  /**
   * Bytes of an image that are hashed for its digest, holes included: at half a second for each GB, beside the
   * comparison with the tree. A larger one has no digest.
   */
  readonly digestBytes: number;
  /** Milliseconds one e2fsprogs program may run. */
  readonly programMs: number;
}

export const defaultLimits: Limits = {
  documentBytes: 4 * MiB,
  indexEntries: 128,
  layers: 1000,
  entries: 5_000_000,
  pathBytes: 4096,
  nameBytes: 255,
  paxBytes: 1 * MiB,
  pathSteps: 200_000_000,
  xattrBytes: 64 * KiB,
  xattrs: 1024,
  layerXattrBytes: 64 * MiB,
  sparseSegments: 1_000_000,
  inflatedBytes: 256 * GiB,
  inflateRatio: 1000,
  ratioFreeBytes: 1 * GiB,
  zstdWindowLog: 27,
  indexFileBytes: 512 * MiB,
  guestAssetBytes: 64 * MiB,
  concurrentPulls: 8,
  unfinishedPulls: 500,
  streams: 1000,
  clientStreams: 500,
  clientPulls: 250,
  concurrentResolves: 32,
  concurrentDownloads: 4,
  errorBodyBytes: 64 * KiB,
  tokenBytes: 1 * MiB,
  authFileBytes: 1 * MiB,
  credentialHelperBytes: 64 * KiB,
  credentialHelperMs: 60_000,
  hostsFileBytes: 4 * MiB,
  archiveMembers: 100_000,
  signatures: 64,
  signatureBytes: 256 * KiB,
  publicKeyBytes: 64 * KiB,
  redirects: 10,
  attempts: 5,
  dialMs: 30_000,
  responseMs: 30_000,
  stallMs: 30_000,
  minBytesPerSecond: 1 * KiB,
  slowWindowMs: 60_000,
  retryAfterMs: 120_000,
  kernelBytes: 8 * GiB,
  kernelFiles: 100_000,
  catalogBytes: 8 * MiB,
  catalogEntries: 10_000,
  catalogMs: 15_000,
  programOutputBytes: 64 * MiB,
  digestBytes: 32 * GiB,
  programMs: 60 * 60_000,
};
