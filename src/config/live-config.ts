import type { Limits } from "../base/limits.ts";
import type { ReadConfig } from "./read.ts";
import { restartKeys, sections } from "./schema.ts";
import type { Settings } from "./settings.ts";

/** One key whose value is another than it was. */
export interface SettingChange {
  /** As `limits.entries`. */
  readonly key: string;
  /** Whether it counts from now on, or from the next start. */
  readonly onReload: "applies" | "restart";
}

/** The settings of a daemon that runs. One who needs them for longer than a call asks again, or subscribes. */
export class LiveConfig {
  /** The same object for ever, with the figures of now: what is handed to every part need not be handed on again. */
  readonly limits: Limits;
  readonly #limits: { -readonly [name in keyof Limits]: number };
  readonly #listeners = new Set<(settings: Settings) => void>();
  readonly #first: ReadConfig;
  #config: ReadConfig;

  constructor(config: ReadConfig) {
    this.#first = config;
    this.#config = config;
    this.#limits = { ...config.settings.limits };
    this.limits = this.#limits;
  }

  get settings(): Settings {
    return this.#config.settings;
  }

  /** Whether there is a file. */
  get found(): boolean {
    return this.#config.found;
  }

  /** Calls `listener` now, and with the new settings whenever they change; one that throws can't take them. */
  follow(listener: (settings: Settings) => void): Disposable {
    listener(this.settings);
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Keys whose values were taken over and count from the next start on. */
  get waiting(): readonly string[] {
    return differing(this.#first, this.#config).filter((key) => onReloadOf(key) === "restart");
  }

  /** What is different in a file that was read anew. */
  changes(next: ReadConfig): readonly SettingChange[] {
    return differing(this.#config, next).map((key) => ({ key, onReload: onReloadOf(key) }));
  }

  /**
   * Takes it over, and says what is different. All or nothing.
   *
   * @throws what a listener does that can't take it; the others are told the old settings once more.
   */
  replace(next: ReadConfig): readonly SettingChange[] {
    const before = this.#config;
    const changes = this.changes(next);
    try {
      this.#apply(next);
    } catch (error) {
      this.#apply(before);
      throw error;
    }
    return changes;
  }

  #apply(config: ReadConfig): void {
    this.#config = config;
    Object.assign(this.#limits, config.settings.limits);
    for (const listener of this.#listeners) listener(config.settings);
  }
}

function differing(before: ReadConfig, after: ReadConfig): readonly string[] {
  return [...after.values].filter(([key, value]) => before.values.get(key) !== value).map(([key]) => key);
}

function onReloadOf(key: string): SettingChange["onReload"] {
  if (restartKeys.has(key)) return "restart";
  const section = sections.find(({ name }) => key === name || key.startsWith(`${name}.`));
  return section?.onReload ?? "restart";
}
