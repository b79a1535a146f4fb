import { stat } from "node:fs/promises";
import { diskFullError, freeBytes, sumOf, type SpaceNeed } from "./disk.ts";
import { asBangerError } from "./error.ts";

/** Bytes that somebody is going to write. */
export interface SpaceClaimNeed extends SpaceNeed {
  /** A guess: it may make others wait, and nobody is refused for it. */
  readonly estimated?: boolean;
  /** Given back when the claim ends, as temporary files are. */
  readonly transient?: boolean;
  /** How many of them are on the disk already; asked when it matters, besides what `wrote` says. */
  readonly measure?: () => Promise<number>;
}

/** What a disk has, and what of it is promised. */
export interface DiskState {
  readonly path: string;
  readonly neededBytes: number;
  readonly freeBytes: number;
  readonly promisedBytes: number;
}

export interface ClaimOptions {
  readonly op: string;
  readonly signal: AbortSignal;
  /** Called where it has to wait, and again when its place in line changes. 1 is next. */
  readonly onWait: (position: number, lacking: DiskState) => void;
}

/** Room that is kept for somebody until it is disposed of, which is harmless twice. */
export interface SpaceClaim extends Disposable {
  /** Says that of the need at `index` that many bytes are written by now: they are no promise any more. */
  wrote(index: number, bytes: number): void;
  /**
   * Gives the promise back and asks for another in its place, before all who have none yet. Waits and fails as `claim`
   * does; it has no promise while it waits, so that two who wait never wait for each other.
   */
  replace(needs: readonly SpaceClaimNeed[], options: ClaimOptions): Promise<void>;
}

/** How a disk is looked at; replaced in tests. */
export interface DiskProbe {
  readonly deviceOf: (path: string) => Promise<number>;
  readonly freeBytes: (path: string) => Promise<number>;
}

const realDisks: DiskProbe = { deviceOf: async (path) => (await stat(path)).dev, freeBytes };

interface Waiter {
  readonly claim: Claim;
  readonly needs: readonly PlacedNeed[];
  readonly options: ClaimOptions;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  told: number;
}

interface PlacedNeed extends SpaceClaimNeed {
  readonly device: number;
}

/**
 * Room on disks that is promised and not yet written. What `statfs` calls free has been promised to others in part;
 * together they would fill the disk, though each alone fits. Promises on one file system are added up, and who does not
 * fit beside them waits until some are kept or given back, first come first served. Who would not fit alone is refused.
 *
 * It bounds this daemon, and nobody else who writes to the disk: a write may still find it full.
 */
export class DiskLedger {
  readonly #probe: DiskProbe;
  readonly #claims = new Set<Claim>();
  readonly #waiting: Waiter[] = [];
  #settling = false;
  #again = false;

  constructor(probe: DiskProbe = realDisks) {
    this.#probe = probe;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /**
   * Keeps room for what is needed. Needs on one disk are added up. The caller disposes of the claim.
   *
   * @throws BangerError DISK_FULL that names the folder, what it has and what it lacks, or the signal's reason.
   */
  async claim(needs: readonly SpaceClaimNeed[], options: ClaimOptions): Promise<SpaceClaim> {
    const claim = new Claim(this);
    await this.ask(claim, needs, options, false);
    return claim;
  }

  /** For claims: asks for room, before those who wait for their first where `ahead`. */
  async ask(
    claim: Claim,
    needs: readonly SpaceClaimNeed[],
    options: ClaimOptions,
    ahead: boolean,
  ): Promise<void> {
    const { signal, op } = options;
    const placed = await Promise.all(
      needs.map(async (need) => ({ ...need, device: await this.#probe.deviceOf(need.path) })),
    ).catch((error: unknown) => {
      throw asBangerError(error, op);
    });
    if (signal.aborted) throw asBangerError(signal.reason, op);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { claim, needs: placed, options, resolve, reject, told: 0 };
    const abort = (): void => this.#leave(waiter, asBangerError(signal.reason, op));
    this.#waiting.splice(ahead ? this.#firstNewcomer() : this.#waiting.length, 0, waiter);
    signal.addEventListener("abort", abort, { once: true });
    this.settle();
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  release(claim: Claim): void {
    if (this.#claims.delete(claim)) this.settle();
  }

  /** Looks who can go on. What is asked of the disks takes a while: asked again meanwhile, it is done once more. */
  settle(): void {
    this.#again = true;
    if (!this.#settling) void this.#settleWhileAsked();
  }

  #firstNewcomer(): number {
    const at = this.#waiting.findIndex(({ claim }) => !claim.isOld);
    return at < 0 ? this.#waiting.length : at;
  }

  #leave(waiter: Waiter, error: unknown): void {
    const at = this.#waiting.indexOf(waiter);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    waiter.reject(error);
    this.settle();
  }

  /** Never rejects. It ends in the same turn in which it last looked whether it was asked again. */
  async #settleWhileAsked(): Promise<void> {
    this.#settling = true;
    while (this.#again) {
      this.#again = false;
      await this.#settleOnce();
    }
    this.#settling = false;
  }

  /** Strictly in turn: a small one that slipped past would starve a large one. */
  async #settleOnce(): Promise<void> {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      let lacking: DiskState | undefined;
      try {
        lacking = await this.#lackOf(first.needs);
      } catch (error) {
        this.#leave(first, asBangerError(error, first.options.op));
        continue;
      }
      // It may have left while the disks were looked at.
      if (this.#waiting[0] !== first) continue;
      if (lacking !== undefined) {
        this.#tellPositions(lacking);
        return;
      }
      this.#waiting.shift();
      first.claim.hold(first.needs);
      this.#claims.add(first.claim);
      first.resolve();
    }
  }

  #tellPositions(lacking: DiskState): void {
    for (const [at, waiter] of this.#waiting.entries()) {
      if (waiter.told === at + 1) continue;
      waiter.told = at + 1;
      waiter.options.onWait(at + 1, lacking);
    }
  }

  /**
   * The disk that has no room beside what is promised; undefined where all have.
   *
   * @throws BangerError DISK_FULL where waiting would not help.
   */
  async #lackOf(needs: readonly PlacedNeed[]): Promise<DiskState | undefined> {
    let lacking: DiskState | undefined;
    for (const device of new Set(needs.map((need) => need.device))) {
      const here = needs.filter((need) => need.device === device);
      const [{ path } = { path: "" }] = here;
      const { promisedBytes, transientBytes, others } = await this.#promisedOn(device);
      const free = await this.#probe.freeBytes(path);
      const neededBytes = sumOf(here);
      if (neededBytes + promisedBytes <= free) continue;
      const firm = here.filter(({ estimated }) => estimated !== true);
      // Alone it would have this: what others write for a while is given back too.
      if (sumOf(firm) > free + transientBytes) throw diskFullError(firm, free);
      if (others) lacking ??= { path, neededBytes, freeBytes: free, promisedBytes };
    }
    return lacking;
  }

  async #promisedOn(
    device: number,
  ): Promise<{ promisedBytes: number; transientBytes: number; others: boolean }> {
    let others = false;
    let promisedBytes = 0;
    let transientBytes = 0;
    for (const claim of this.#claims) {
      for (const { bytes, written, transient } of await claim.on(device)) {
        others = true;
        promisedBytes += Math.max(0, bytes - written);
        if (transient === true) transientBytes += written;
      }
    }
    return { promisedBytes, transientBytes, others };
  }
}

class Claim implements SpaceClaim {
  /** It had room before. */
  isOld = false;
  readonly #ledger: DiskLedger;
  #needs: readonly PlacedNeed[] = [];
  readonly #written = new Map<number, number>();

  constructor(ledger: DiskLedger) {
    this.#ledger = ledger;
  }

  hold(needs: readonly PlacedNeed[]): void {
    this.isOld = true;
    this.#needs = needs;
    this.#written.clear();
  }

  wrote(index: number, bytes: number): void {
    const before = this.#written.get(index) ?? 0;
    this.#written.set(index, Math.max(before, bytes));
    // The sum of free and promised is the same as before: nobody else has more room by it.
  }

  async replace(needs: readonly SpaceClaimNeed[], options: ClaimOptions): Promise<void> {
    this.#ledger.release(this);
    await this.#ledger.ask(this, needs, options, true);
  }

  async on(device: number): Promise<readonly (PlacedNeed & { readonly written: number })[]> {
    const all = this.#needs.map(async (need, index) => {
      const measured = need.device === device ? await need.measure?.() : 0;
      return { ...need, written: Math.max(this.#written.get(index) ?? 0, measured ?? 0) };
    });
    return (await Promise.all(all)).filter((need) => need.device === device);
  }

  [Symbol.dispose](): void {
    this.#ledger.release(this);
  }
}
