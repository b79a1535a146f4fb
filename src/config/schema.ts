import {
  absent,
  choiceField,
  durationField,
  listenField,
  pathField,
  pathListField,
  pathOrUrlField,
  sizeField,
  socketModeField,
  textField,
  urlField,
  type Field,
} from "./field.ts";
import { limitField, limitNames } from "./limit-fields.ts";
import { logFormats, logLevels } from "./settings.ts";

/** A table of the file, or each of an array of tables. */
export interface Section {
  /** As written between the brackets. */
  readonly name: string;
  readonly many: boolean;
  readonly says: string;
  readonly onReload: "applies" | "restart";
  readonly fields: readonly Field<unknown>[];
}

const anySize = { min: 1, max: Number.MAX_SAFE_INTEGER };
const day = 86_400_000;

export const pathFields = {
  stateDir: pathField({
    key: "state_dir",
    says: "Where images, kernels and the store are. `--state-dir` and `BANGER_STATE_DIR` beat it.",
    fallback: absent("by [where bangerd runs](operations.md#paths)"),
  }),
  cacheDir: pathField({
    key: "cache_dir",
    says: "Where downloads are. `--cache-dir` and `BANGER_CACHE_DIR` beat it.",
    fallback: absent("by where bangerd runs"),
  }),
  socket: pathField({
    key: "socket",
    says: "Where the daemon serves, and where `banger` looks for it. `--socket` and `BANGER_SOCKET` beat it.",
    fallback: absent("by where bangerd runs"),
  }),
  tempDir: pathField({
    key: "temp_dir",
    says: "Where images are staged: it takes about an image's content. `TMPDIR` beats it.",
    fallback: absent("`/tmp`"),
  }),
};

export const socketFields = {
  mode: socketModeField({
    key: "mode",
    says: "Who may connect, and so do all that the daemon can.",
    fallback: { value: 0o600, shown: '"0600"' },
  }),
  group: textField(
    {
      key: "group",
      says: "The socket's group, for a mode that lets it in.",
      fallback: absent("the daemon's own"),
    },
    /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,255}$/,
    "a group's name or number",
  ),
};

export const pullFields = {
  concurrent: limitField("concurrentPulls", "concurrent"),
  keepHistory: durationField({
    key: "keep_history",
    says: "How long ended pulls stay in `pull ls --all`.",
    fallback: { value: 30 * day, shown: '"30d"' },
  }),
  builder: choiceField(
    {
      key: "builder",
      says: "What makes file systems where `--builder` says nothing.",
      fallback: absent("the daemon's choice"),
    },
    ["direct", "e2fsprogs"],
  ),
};

export const registryFields = {
  concurrentDownloads: limitField("concurrentDownloads", "concurrent_downloads"),
  bandwidth: sizeField(
    {
      key: "bandwidth",
      says: "Bytes a second of all downloads together.",
      fallback: absent("no limit"),
    },
    { min: 1024, max: Number.MAX_SAFE_INTEGER },
  ),
  certsDirs: pathListField({
    key: "certs_dirs",
    says:
      "Folders with a [hosts.toml](registries.md#mirrors-and-tls-hoststoml) for each registry; the first that has " +
      "one decides. `BANGER_CERTS_DIR` beats it.",
    fallback: absent("`certs.d` beside the config"),
  }),
  dialTimeout: limitField("dialMs", "dial_timeout"),
  responseTimeout: limitField("responseMs", "response_timeout"),
  stallTimeout: limitField("stallMs", "stall_timeout"),
};

export const signatureFields = {
  scope: textField<string>(
    {
      key: "scope",
      says:
        "What must be signed: a registry, a repository and all below it, as `ghcr.io/o`, or `*` for everything. The " +
        "most specific scope decides.",
      fallback: undefined,
    },
    /^[^\s/][^\s]*$/,
    'a registry or a repository, as "ghcr.io/o/app", or "*"',
  ),
  key: pathField({
    key: "key",
    says:
      "The public key that it must be signed with, a PEM file as `cosign` makes it; of several in the file, one must " +
      "have signed. See [registries.md](registries.md#signatures).",
    fallback: absent("as `accept` says"),
  }),
  accept: choiceField(
    {
      key: "accept",
      says: "In a key's place: nothing needs to be signed in this narrower scope.",
      fallback: absent("only what is signed"),
    },
    ["unsigned"],
  ),
};

export const catalogFields = {
  name: textField<string>(
    { key: "name", says: "What errors and lists call it.", fallback: undefined },
    /^[a-z0-9][a-z0-9._-]{0,62}$/,
    "up to 63 lower-case letters, digits, dots, dashes and underscores",
  ),
  location: pathOrUrlField({
    key: "location",
    says: "Where the catalog is.",
    fallback: undefined,
  }),
};

export const cacheFields = {
  highWater: sizeField(
    {
      key: "high_water",
      says: "A cache that grows larger is pruned by itself.",
      fallback: absent("never"),
    },
    anySize,
  ),
  lowWater: sizeField(
    {
      key: "low_water",
      says: "What it is pruned down to; at most `high_water`.",
      fallback: absent("nine tenths of `high_water`"),
    },
    anySize,
  ),
};

export const logFields = {
  level: choiceField(
    { key: "level", says: "The least that is logged.", fallback: { value: "info", shown: '"info"' } },
    logLevels,
  ),
  format: choiceField(
    {
      key: "format",
      says: "Lines for people, or JSON, an object a line.",
      fallback: { value: "text", shown: '"text"' },
    },
    logFormats,
  ),
};

export const metricsFields = {
  listen: listenField({
    key: "listen",
    says: "Where Prometheus reads `/metrics`, without a password: keep it to this machine.",
    fallback: absent("off"),
  }),
};

export const tracingFields = {
  endpoint: urlField({
    key: "endpoint",
    says: "The OTLP/HTTP collector that gets a trace of each pull; `/v1/traces` is added to it.",
    fallback: absent("off"),
  }),
};

export const limitFields = limitNames.map((name) => ({ name, field: limitField(name) }));

const table = (
  name: string,
  onReload: Section["onReload"],
  says: string,
  fields: Readonly<Record<string, Field<unknown>>>,
  many = false,
): Section => ({ name, onReload, says, fields: Object.values(fields), many });

/** What waits for a restart though the rest of its section does not. */
export const restartKeys: ReadonlySet<string> = new Set([
  "registry.certs_dirs",
  // HTTP/2 tells a client once, when it connects, how many streams it may open.
  "limits.client_streams",
]);

/** All that a config file may hold. The parser, the defaults and docs/config.md come from it. */
export const sections: readonly Section[] = [
  table("paths", "restart", "Where things are. All paths of the file are absolute.", pathFields),
  table("socket", "restart", "Who may talk to the daemon.", socketFields),
  table("pulls", "applies", "How images are built.", pullFields),
  table("registry", "applies", "How registries are talked to.", registryFields),
  table(
    "signatures",
    "applies",
    "An image of that scope must carry a signature by that key; one table for each.",
    signatureFields,
    true,
  ),
  table(
    "kernels.catalogs",
    "applies",
    "Where kernels are looked up; one table for each.",
    catalogFields,
    true,
  ),
  table("cache", "applies", "How much of the disk downloads may take.", cacheFields),
  table("log", "applies", "What the daemon says on stderr.", logFields),
  table("metrics", "restart", "Figures for Prometheus.", metricsFields),
  table("tracing", "restart", "Where the time of a pull goes, for OpenTelemetry.", tracingFields),
  table(
    "limits",
    "applies",
    "Bounds on what comes from outside.",
    Object.fromEntries(limitFields.map(({ name, field }) => [name, field])),
  ),
];
