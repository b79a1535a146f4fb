import type { Example } from "../examples.ts";
import { leavesOf, type ArgumentSpec, type CommandSpec, type OptionSpec } from "../command-spec.ts";

export interface ManPage {
  readonly spec: CommandSpec;
  /** 1 for a program that people run, 8 for one that an administrator keeps running. */
  readonly section: 1 | 8;
  readonly version: string;
  /** More sections, as plain paragraphs. */
  readonly more: readonly { readonly title: string; readonly paragraphs: readonly string[] }[];
}

/** A manual page in the macros of man(7). */
export function manPage({ spec, section, version, more }: ManPage): string {
  const upper = spec.name.toUpperCase();
  const lines = [
    `.TH ${upper} ${section} "" "banger ${roff(version)}" "banger"`,
    // No hyphenation: words are meant to be found and pasted.
    ".nh",
    ".SH NAME",
    `${roff(spec.name)} \\- ${roff(lowerFirst(spec.description.replace(/\.$/, "")))}`,
    ".SH SYNOPSIS",
    ...leavesOf(spec).flatMap((leaf) => [".PP", synopsis(leaf)]),
    ".SH OPTIONS",
    ...spec.options.flatMap(optionLines),
    ...(spec.commands.length > 0 ? [".SH COMMANDS", ...leavesOf(spec).flatMap(commandLines)] : []),
    ...(spec.examples.length === 0 || spec.commands.length === 0
      ? []
      : [".SH EXAMPLES", ...spec.examples.flatMap(exampleLines)]),
    ...more.flatMap(({ title, paragraphs }) => [
      `.SH ${roff(title.toUpperCase())}`,
      ...paragraphs.flatMap((text) => [".PP", roff(text)]),
    ]),
  ];
  return `${lines.join("\n")}\n`;
}

function synopsis({ path, options, arguments: all }: CommandSpec): string {
  const some = options.length > 0 ? " [\\fIoptions\\fR]" : "";
  return `\\fB${roff(path)}\\fR${some}${all.map((one) => ` ${argument(one)}`).join("")}`;
}

function argument({ name, required, variadic }: ArgumentSpec): string {
  const shown = `\\fI${roff(name)}\\fR${variadic ? "..." : ""}`;
  return required ? shown : `[${shown}]`;
}

function commandLines(leaf: CommandSpec): readonly string[] {
  const told = leaf.arguments.filter(({ description }) => description !== "");
  return [
    `.SS ${synopsis(leaf)}`,
    sentence(leaf.description),
    ...told.flatMap((one) => [".TP", argument(one), sentence(one.description)]),
    ...leaf.options.filter(({ words }) => !words.includes("--help")).flatMap(optionLines),
    ...leaf.examples.flatMap(exampleLines),
  ];
}

/** What is done, and below it the line to paste, as it is. */
function exampleLines({ line, does }: Example): readonly string[] {
  return [".PP", `Example: ${roff(does)}.`, ".RS", ".nf", roff(line), ".fi", ".RE"];
}

function optionLines({ flags, description, value, defaultText }: OptionSpec): readonly string[] {
  const choices =
    value === undefined || value.choices.length === 0 ? "" : ` One of ${value.choices.join(", ")}.`;
  const byDefault = defaultText === undefined ? "" : ` Default: ${defaultText}.`;
  return [".TP", `\\fB${roff(flags)}\\fR`, `${sentence(description)}${roff(choices + byDefault)}`];
}

function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return roff(/[.!?]$/.test(whole) ? whole : `${whole}.`);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/**
 * Text as roff prints it: a backslash and a leading dot or quote would be commands (groff(7)), and a bare `-` is a
 * hyphen, which nobody can paste into a shell.
 */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/gm, "\\&$1");
}
