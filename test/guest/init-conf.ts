/** The records of `/etc/banger/init.conf`, each ended by a NUL: see guest/init-conf.h. */
export function initConf(records: readonly string[]): string {
  return ["banger-init 1", ...records, "end"].map((record) => `${record}\0`).join("");
}
