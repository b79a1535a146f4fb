import { packageVersion } from "../../base/version.ts";
import { bangerdCommand } from "../../service/command-line.ts";
import { commandSpec } from "../command-spec.ts";
import { buildProgram } from "../program.ts";
import { processTerminal } from "../terminal.ts";
import { manPage } from "./man-page.ts";

const exitCodes =
  "0 done, 1 failed, 2 wrong usage, 3 no such image, tag or kernel, 4 the daemon cannot be reached, 130 interrupted.";

/** The manual, each page under the name of its file; made of what the programs' own `--help` is made of. */
export function manualPages(): ReadonlyMap<string, string> {
  const version = packageVersion();
  const banger = manPage({
    spec: commandSpec(buildProgram(processTerminal(), async () => {})),
    section: 1,
    version,
    more: [
      {
        title: "Daemon",
        paragraphs: [
          "Where no daemon answers on the default socket, banger starts one for its own call and stops it after. " +
            "With --socket or BANGER_SOCKET it talks to that daemon and to no other.",
        ],
      },
      { title: "Exit status", paragraphs: [exitCodes] },
      { title: "See also", paragraphs: ["bangerd(8), e2fsck(8), debugfs(8)"] },
    ],
  });
  const bangerd = manPage({
    spec: commandSpec(bangerdCommand()),
    section: 8,
    version,
    more: [
      {
        title: "Signals",
        paragraphs: [
          "SIGTERM and SIGINT end what is under way and stop the daemon; a second one stops it at once, " +
            "and the next start mends what that left. SIGHUP has it read its config again.",
        ],
      },
      { title: "See also", paragraphs: ["banger(1), systemd.socket(5)"] },
    ],
  });
  return new Map([
    ["banger.1", banger],
    ["bangerd.8", bangerd],
  ]);
}
