import { BangerError } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { makeModulesLayer } from "../guest/modules-layer.ts";
import type { KernelStore } from "../kernel/kernel-store.ts";
import { listModules } from "../kernel/modules.ts";
import { resolveKernelInputs, type KernelInputs } from "../kernel/resolve-inputs.ts";
import { stageBootArtifacts } from "../kernel/stage-boot.ts";
import type { BootRecord } from "../kernel/kernel-record.ts";
import { filesystemUuid } from "./identity.ts";
import type { PullPlan } from "./plan.ts";
import type { LayerScanner } from "../layers/scan.ts";
import type { Platform } from "../oci/platform.ts";
import type { PullEventBody } from "./events.ts";
import type { LayerIn } from "./layers-in.ts";
import type { StageContext } from "./stage-context.ts";

export interface KernelDeps {
  readonly kernels: KernelStore;
  readonly scanner: LayerScanner;
  readonly tempDir: string;
  readonly limits: Limits;
}

/** The kernel of one pull, from when it is known what image it is for until the image is published. */
export class PullKernel implements AsyncDisposable {
  readonly #deps: KernelDeps;
  readonly #pull: StageContext;
  readonly #owned = new AsyncDisposableStack();
  #inputs: KernelInputs | undefined;

  constructor(deps: KernelDeps, pull: StageContext) {
    this.#deps = deps;
    this.#pull = pull;
  }

  /** Undefined where none was asked for. */
  get inputs(): KernelInputs | undefined {
    return this.#inputs;
  }

  /**
   * Stage 2. Brings the kernel in where it is not here, and tells how far that is as progress of this stage.
   *
   * @throws BangerError those of `resolveKernelInputs`; OPTION_INVALID or KMOD_MISSING where its modules are to go into
   *   the image and can't.
   */
  async resolve({ architecture }: Platform, onFetch: () => void): Promise<KernelInputs | undefined> {
    const { request, clock, signal, emit } = this.#pull;
    if (request.kernel === undefined) return undefined;
    const { selection, modulesIntoRootfs } = request.kernel;
    const { kernels, limits } = this.#deps;
    const onProgress = ({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }): void =>
      emit("kernel", { kind: "stageProgress", done: doneBytes, total: totalBytes, unit: "bytes" });
    const { value } = await clock.time("kernel", () =>
      resolveKernelInputs(kernels, selection, { architecture, signal, limits, onFetch, onProgress }),
    );
    this.#inputs = this.#owned.use(value);
    if (modulesIntoRootfs) requireModules(value);
    return value;
  }

  resolvedEvent(): PullEventBody {
    const inputs = this.#inputs;
    if (inputs === undefined) {
      return { kind: "kernelResolved", skipped: true, name: "", version: "", warnings: [] };
    }
    const { name, facts } = inputs;
    const { version, warnings } = facts;
    return { kind: "kernelResolved", skipped: false, name, version, warnings };
  }

  /** The kernel's modules as the last of the image's layers, where they are to go into it; else no layer at all. */
  async modulesLayer(): Promise<readonly LayerIn[]> {
    const { request, clock, signal } = this.#pull;
    const { modules } = this.#inputs?.facts ?? {};
    if (this.#inputs === undefined || modules === undefined) return [];
    if (request.kernel?.modulesIntoRootfs !== true) return [];
    const dir = this.#inputs.paths.modules;
    const { limits, tempDir, scanner } = this.#deps;
    const { value } = await clock.time("inject", async () => {
      const listing = await listModules(dir, limits, signal);
      const { release } = modules;
      const files = listing.files.map(({ path }) => path);
      const { folders } = listing;
      const layer = await makeModulesLayer({ dir, release, folders, files, tempDir, signal });
      const { blob } = this.#owned.use(layer);
      const mediaType = "application/vnd.oci.image.layer.v1.tar";
      const scanned = await scanner.scan(blob, { mediaType, signal });
      return { blob: scanned.blob, index: scanned.index };
    });
    return [value];
  }

  /** Stage 10: the kernel's files beside the root file system, in the folder that will be published. */
  async stage(
    plan: PullPlan,
    dir: string,
    initPath: string,
  ): Promise<{ readonly boot: BootRecord | undefined; readonly durationMs: number }> {
    const kernel = this.#inputs;
    if (kernel === undefined) return { boot: undefined, durationMs: 0 };
    const { request, clock, signal } = this.#pull;
    const modulesInRootfs = request.kernel?.modulesIntoRootfs === true;
    const uuid = filesystemUuid(plan);
    const { limits } = this.#deps;
    const { value: boot, durationMs } = await clock.time("stage-boot", () =>
      stageBootArtifacts({ kernel, dir, filesystemUuid: uuid, initPath, modulesInRootfs, limits, signal }),
    );
    return { boot, durationMs };
  }

  /** The folder of a kernel that is published, whose files need no sync where `stage` linked them. */
  get publishedDir(): string | undefined {
    return this.#inputs?.id === undefined ? undefined : this.#inputs.paths.dir;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }
}

function requireModules({ name, facts }: KernelInputs): void {
  const op = "put modules into the image";
  const kernel = name === "" ? "the kernel" : `kernel ${name}`;
  if (facts.modules === undefined) {
    throw new BangerError("OPTION_INVALID", `${kernel} came without modules`, {
      op,
      hint: "Bring it in with its modules, or leave --modules-into-rootfs out.",
      fields: [{ field: "options.modules_into_rootfs", description: "The kernel has no modules." }],
    });
  }
  if (facts.modules.indexed) return;
  throw new BangerError(
    "KMOD_MISSING",
    `the modules of ${kernel} have no modules.dep: a guest would find none`,
    {
      op,
      hint:
        name === ""
          ? "Install kmod here: apt install kmod."
          : // By force: an image that has it without its modules keeps its own files.
            `Install kmod here (apt install kmod), then run \`banger kernel rm ${name} --force\`, and pull again.`,
    },
  );
}
