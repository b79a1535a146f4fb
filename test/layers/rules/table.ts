import type { Case, HeldBy, Rule, Section } from "./rule.ts";
import type { Outcome } from "./run-all.ts";

const head = `# What a layer's entries mean

The OCI image-spec (\`layer.md\`) leaves much open. This page says what banger makes of it, rule by rule; which test
holds the rule; and what umoci 0.4.7 makes of the same image. "Refused" means that the pull ends with \`LAYER_UNSAFE\`,
\`LAYER_INVALID\` or the reason named, that the error names layer, entry, name and rule, and that nothing is published.
"Listed" means that the image is built, and that the loss is in its list of losses, which \`--strict\` makes an error.
Nothing is skipped in silence.

Each row's images are in \`test/layers/rules/\`. They went through banger's first stages (resolve, fetch, scan, flatten)
and through \`umoci raw unpack\` as root on an ext4, and the two trees were compared in every name, type, owner, mode,
time, device number, xattr, link and content. "same" means that umoci's tree is the same; else it says what umoci's has
instead, "now" being a time at which umoci ran. \`test/layers/umoci.test.ts\` runs it all again and compares it with this
page; without root, or with another umoci, it takes umoci's column as it is (\`--rootless\` would give up owners and
devices by design). \`node test/layers/umoci-table.ts --write\` writes the page anew.

Tests are named by file below \`test/layers/\`, or below \`test/\` where a folder is given, without \`.test.ts\`.
`;

/** The page. An outcome that is not known is taken from \`known\`, the page as it was. */
export function renderPage(
  sections: readonly Section[],
  outcomes: ReadonlyMap<Case, Outcome>,
  known: string,
): string {
  const parts = sections.map(({ title, rules }) => {
    const rows = rules.map((rule) => renderRow(rule, outcomes, known));
    return `## ${title}\n\n| rule | held by | banger | umoci |\n|---|---|---|---|\n${rows.join("\n")}\n`;
  });
  return [head, ...parts].join("\n");
}

function renderRow(rule: Rule, outcomes: ReadonlyMap<Case, Outcome>, known: string): string {
  const heldBy = rule.heldBy.map(renderTest).join("<br>");
  const start = `| ${escaped(rule.text)} | ${heldBy} | `;
  if (rule.cases.length === 0) return `${start}as the rule says | — |`;
  const rowFrom = (before: string): string =>
    known.split("\n").find((line) => line.startsWith(before)) ?? `${before}not run |`;
  if (rule.cases.some((example) => !outcomes.has(example))) return rowFrom(start);
  const banger = grouped(rule.cases, (example) => outcomes.get(example)?.banger ?? "");
  const before = `${start}${banger} | `;
  if (rule.cases.some((example) => outcomes.get(example)?.umoci === undefined)) {
    return rowFrom(before);
  }
  return `${before}${grouped(rule.cases, (example) => outcomes.get(example)?.umoci ?? "")} |`;
}

function renderTest({ file, title }: HeldBy): string {
  return `\`${file.replace(/^layers\//, "")}\`: ${escaped(title)}`;
}

/** What the cases came to, those that came to the same together. */
function grouped(cases: readonly Case[], outcomeOf: (example: Case) => string): string {
  const byOutcome = Map.groupBy(cases, outcomeOf);
  if (byOutcome.size === 1) return [...byOutcome.keys()].join("");
  const groups = [...byOutcome].map(
    ([outcome, examples]) => `${examples.map(({ what }) => escaped(what)).join(", ")}: ${outcome}`,
  );
  return groups.join("<br>");
}

/** Nothing but what stands in code marks is Markdown. */
function escaped(text: string): string {
  return text
    .split(/(`[^`]*`)/)
    .map((part, at) => (at % 2 === 1 ? part : part.replaceAll("<", "&lt;").replaceAll("*", "\\*")))
    .join("")
    .replaceAll("|", "\\|");
}
