import { secondsOf, type Results } from "./results.ts";

const width = 860;
const labelWidth = 150;
const barHeight = 16;
const rowHeight = 20;

/** What is drawn, of the tools that there are, and in which colour. */
const colours: Readonly<Record<string, string>> = {
  floor: "#8c8c8c",
  direct: "#1a7f5a",
  "pull-direct": "#6cbf9c",
  e2fsprogs: "#2f6fb2",
  "by-hand": "#b2622f",
  "mke2fs-tar": "#8f4fb0",
  crane: "#b04f74",
  tar2ext4: "#7d7a2b",
  oci2rootfs: "#4a4a9c",
};

/** Bars of seconds, a group for each image, each on a scale of its own: what counts is how they compare. */
export function plot(results: Results): string {
  const parts: string[] = [];
  let y = 24;
  for (const [name, image] of Object.entries(results.images)) {
    const bars = Object.keys(colours).flatMap((tool) => {
      const seconds = secondsOf(image, tool);
      return seconds === undefined ? [] : [{ tool, seconds }];
    });
    const longest = Math.max(...bars.map(({ seconds }) => seconds));
    parts.push(`<text x="8" y="${y}" font-weight="bold">${name}: ${image.what}</text>`);
    y += 10;
    for (const { tool, seconds } of bars) {
      const length = Math.max(1, (seconds / longest) * (width - labelWidth - 90));
      const fill = colours[tool] ?? "#000";
      parts.push(
        `<text x="${labelWidth - 8}" y="${y + 13}" text-anchor="end">${tool}</text>`,
        `<rect x="${labelWidth}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}" fill="${fill}"/>`,
        `<text x="${(labelWidth + length + 6).toFixed(1)}" y="${y + 13}">${seconds.toFixed(2)} s</text>`,
      );
      y += rowHeight;
    }
    y += 30;
  }
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" font-family="sans-serif" font-size="13">`;
  return `${[head, `<rect width="${width}" height="${y}" fill="#fff"/>`, ...parts, "</svg>"].join("\n")}\n`;
}
