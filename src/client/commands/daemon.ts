import type { Command } from "commander";
import {
  DaemonService,
  GetDaemonStatusResponseSchema,
  type GetDaemonStatusResponse,
} from "../../../gen/banger/image/v1/daemon_service_pb.ts";
import { daemonText } from "../render/daemon-text.ts";
import { messageJson, pretty } from "../render/json.ts";
import type { RunSession } from "../session.ts";
import { printAnswer, type Terminal } from "../terminal.ts";
import { jsonOption } from "./options.ts";

export function addDaemonCommands(program: Command, run: RunSession): void {
  const daemon = program.command("daemon").description("ask after the daemon");
  daemon
    .command("status")
    .description("tell how the daemon is, and what it lacks")
    .addOption(jsonOption())
    .action((flags: { json?: boolean }) => {
      const print = (terminal: Terminal, answer: GetDaemonStatusResponse): void => {
        const json = (): string => pretty(messageJson(GetDaemonStatusResponseSchema, answer));
        printAnswer(terminal, flags, json, (columns) => daemonText(answer, Date.now(), columns));
      };
      return run(
        async ({ rpc, signal, terminal }) => {
          print(terminal, await rpc.unary(DaemonService.method.getDaemonStatus, {}, signal));
          return undefined;
        },
        {
          // A daemon started for the question would answer for itself.
          embed:
            "Start one that stays with `bangerd`; other commands start one for themselves where they find none.",
          anyConfig: true,
          withoutDaemon: async ({ paths, signal, terminal }) => {
            const { localStatus } = await import("../local-status.ts");
            print(terminal, await localStatus(paths, terminal.env, signal));
          },
        },
      );
    });
}
