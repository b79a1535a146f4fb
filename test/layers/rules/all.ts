import { archive } from "./archive.ts";
import { compression } from "./compression.ts";
import { documents } from "./documents.ts";
import { links } from "./links.ts";
import { metadata } from "./metadata.ts";
import { paths } from "./paths.ts";
import { replacing } from "./replacing.ts";
import type { Section } from "./rule.ts";
import { whiteouts } from "./whiteouts.ts";

/** Every rule about what a layer's entries mean, in the order of the table. */
export const sections: readonly Section[] = [
  { title: "Paths", rules: paths },
  { title: "Replacing", rules: replacing },
  { title: "Whiteouts", rules: whiteouts },
  { title: "Links", rules: links },
  { title: "Metadata", rules: metadata },
  { title: "The archive", rules: archive },
  { title: "Compression", rules: compression },
  { title: "The image", rules: documents },
];
