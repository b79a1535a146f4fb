/**
 * The reference of the config file, made from the table that its parser goes by.
 *
 *   node test/config/page.ts --write      writes docs/config.md anew
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { limitKey, limitNames } from "../../src/config/limit-fields.ts";
import { restartKeys, sections, type Section } from "../../src/config/schema.ts";

const root = join(import.meta.dirname, "..", "..");

export const pagePath = join(root, "docs", "config.md");

/** What base/limits.ts says of each limit, by its key. */
export function limitComments(): ReadonlyMap<string, string> {
  const source = readFileSync(join(root, "src", "base", "limits.ts"), "utf8");
  const said = new Map(
    [...source.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/\s+readonly (\w+): number;/g)].map(
      ([, text = "", name = ""]) => [name, text.replaceAll(/\s*\n\s*\*?\s*/g, " ").trim()] as const,
    ),
  );
  return new Map(limitNames.map((name) => [limitKey(name), said.get(name) ?? ""]));
}

export function renderPage(): string {
  return [
    "# The config file",
    "",
    "`bangerd` and `banger` read one TOML file, `~/.config/banger/config.toml`, or `/etc/banger/config.toml` with",
    "`bangerd --system`; `--config` or `BANGER_CONFIG` names another. None need be there. Flags beat the environment, which",
    "beats the file, which beats the defaults.",
    "",
    "The file is read strictly: a key that is not known, a value of another type or out of its range is an error that names",
    'file, line, column and key, and says what was expected. Sizes are bytes, or a string as `"50GiB"` (B, KiB, MiB, GiB,',
    'TiB); lengths of time are strings as `"90s"` (ms, s, m, h, d).',
    "",
    "SIGHUP has the daemon read it again. What is marked *at once* applies from then on, to pulls that are under way as well;",
    "the log says what changed, and what waits for a restart. A file that is wrong changes nothing.",
    "",
    "This page is made from the parser's own table by `node test/config/page.ts --write`; a test compares the two.",
    "",
    ...sections.flatMap(renderSection),
  ].join("\n");
}

function renderSection(section: Section): readonly string[] {
  const comments = section.name === "limits" ? limitComments() : new Map<string, string>();
  const applies = section.onReload === "applies" ? "at once" : "after a restart";
  return [
    `## ${section.many ? `[[${section.name}]]` : `[${section.name}]`}`,
    "",
    `${section.says} Changes apply *${applies}*.`,
    "",
    "| key | takes | without it | |",
    "|---|---|---|---|",
    ...section.fields.map(({ key, expects, fallback, says }) => {
      const when = restartKeys.has(`${section.name}.${key}`) ? " Applies *after a restart*." : "";
      const without = fallback === undefined ? "an error" : literal(fallback.shown);
      const cells = [`\`${key}\``, expects, without, (comments.get(key) || says) + when];
      return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
    }),
    "",
  ];
}

/** What could stand in the file is code; the rest is words. */
function literal(shown: string): string {
  return /^(?:".*"|[0-9]+)$/.test(shown) ? `\`${shown}\`` : shown;
}

if (process.argv[1] === import.meta.filename && process.argv[2] === "--write") {
  writeFileSync(pagePath, renderPage());
}
