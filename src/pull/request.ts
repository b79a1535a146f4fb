import type { BuilderName } from "../ext4/builder.ts";
import type { VerifyDepth } from "../ext4/verify.ts";
import type { KernelSelection } from "../kernel/resolve-inputs.ts";
import type { Platform } from "../oci/platform.ts";
import type { Credentials } from "../registry/credentials.ts";

/** What a client asks of a pull, parsed. */
export interface PullRequest {
  /** As given: `debian:bookworm`, `oci:/folder`. Parsed by `registry/`. */
  readonly reference: string;
  /** Undefined takes the default of design: repository's last component and tag. */
  readonly name: string | undefined;
  readonly platform: Platform;
  readonly sizeBytes: number | undefined;
  readonly builder: BuilderName | undefined;
  /** Nothing is put into the image, and nothing of its identity taken away. */
  readonly noAgents: boolean;
  /** With agents: machine id and SSH host keys of the image stay, and first boot leaves them alone. */
  readonly keepIdentity: boolean;
  /** A loss is an error. */
  readonly strict: boolean;
  readonly verify: VerifyDepth;
  /** Goes on when its last watcher leaves. */
  readonly detached: boolean;
  /** Undefined stages no kernel. */
  readonly kernel?: RequestedKernel | undefined;
  /** For this pull alone: kept in memory while it runs, and in no key, record, event or error. */
  readonly credentials?: Credentials | undefined;
}

/** The kernel that is to stand beside the image. */
export interface RequestedKernel {
  readonly selection: KernelSelection;
  /** Its modules go into the image's own `/lib/modules` too. */
  readonly modulesIntoRootfs: boolean;
}
