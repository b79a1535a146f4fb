/**
 * The reference of errors, made from the tables that the programs go by.
 *
 *   node test/base/errors-page.ts --write      writes docs/errors.md anew
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { status as Code } from "@grpc/grpc-js";
import { causes } from "../../src/base/causes.ts";
import { BangerError, isReason, type Reason } from "../../src/base/error.ts";
import { hints } from "../../src/base/hints.ts";
import { exitCodeOf } from "../../src/client/exit-code.ts";
import { codeOf, errorDomain } from "../../src/service/status.ts";

const root = join(import.meta.dirname, "..", "..");

export const pagePath = join(root, "docs", "errors.md");

export interface Group {
  readonly title: string;
  readonly reasons: readonly Reason[];
}

/** The reasons as base/reasons.ts groups them: by the comments between them. */
export function groups(): readonly Group[] {
  const source = readFileSync(join(root, "src", "base", "reasons.ts"), "utf8");
  const list = /^export const reasons = \[\n([^]*?)^\] as const;/m.exec(source)?.[1] ?? "";
  return list
    .split(/^ {2}\/\/ /m)
    .slice(1)
    .map((part) => {
      const [title = "", ...lines] = part.trimEnd().split("\n");
      return { title: title.replace(/\.$/, ""), reasons: lines.map(reasonOf) };
    });
}

function reasonOf(line: string): Reason {
  const name = /^ {2}"([A-Z0-9_]+)",$/.exec(line)?.[1] ?? "";
  if (!isReason(name)) throw new Error(`not a reason: ${line}`);
  return name;
}

/** Of gRPC; two where it depends on what the registry answered. */
export function codesOf(reason: Reason): readonly string[] {
  const answers = ["401", "403"].map((httpStatus) => codeOf({ reason, facts: { httpStatus } }));
  return [...new Set(answers)].map((code) => Code[code]);
}

export function renderPage(): string {
  return [
    "# Errors",
    "",
    "Each error has one reason of this list, whichever way it comes:",
    "",
    "- `banger` prints what happened, which field is wrong, and after an arrow what to do. With `--progress json` the last",
    '  line on stderr is `{"error":{"reason":…}}`. It exits with the number in the column *exit*; 130 where it was interrupted.',
    `- gRPC has the code in the column *gRPC*, and a \`google.rpc.ErrorInfo\` of the domain \`${errorDomain}\` with the reason,`,
    "  `op`, `hint` and particulars such as the layer at fault. [api.md](api.md#errors) shows one.",
    "- The log, `pull ls` and `GetPull` have reason and message of pulls that failed.",
    "",
    "Decide on the reason, never on the text. What to do is said here as generally as the reason; the message and its hint",
    "name the path, the layer or the limit. Reasons are only added: take one that you don't know as what its code says.",
    "",
    "This page is made from the programs' own tables by `node test/base/errors-page.ts --write`; a test compares the two.",
    "",
    ...groups().flatMap(renderGroup),
  ].join("\n");
}

function renderGroup({ title, reasons }: Group): readonly string[] {
  return [
    `## ${title}`,
    "",
    "| reason | gRPC | exit | what happened | what to do |",
    "|---|---|---|---|---|",
    ...reasons.map((reason) => {
      const exit = exitCodeOf(new BangerError(reason, "", { op: "" }));
      const codes = codesOf(reason).map((code) => `\`${code}\``);
      const cells = [`\`${reason}\``, codes.join(" or "), String(exit), causes[reason], hints[reason]];
      return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
    }),
    "",
  ];
}

if (process.argv[1] === import.meta.filename && process.argv[2] === "--write") {
  writeFileSync(pagePath, renderPage());
}
