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
  #config: ReadConfig;

  constructor(config: ReadConfig) {
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

  /** Calls `listener` now, and with the new settings whenever they change. */
  follow(listener: (settings: Settings) => void): Disposable {
    this.#listeners.add(listener);
    listener(this.settings);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Takes over what was read anew, and says what is different. */
  replace(next: ReadConfig): readonly SettingChange[] {
    const before = this.#config.values;
    this.#config = next;
    Object.assign(this.#limits, next.settings.limits);
    for (const listener of this.#listeners) listener(next.settings);
    return [...next.values]
      .filter(([key, value]) => before.get(key) !== value)
      .map(([key]) => ({ key, onReload: onReloadOf(key) }));
  }
}

function onReloadOf(key: string): SettingChange["onReload"] {
  if (restartKeys.has(key)) return "restart";
  const section = sections.find(({ name }) => key === name || key.startsWith(`${name}.`));
  return section?.onReload ?? "restart";
}
