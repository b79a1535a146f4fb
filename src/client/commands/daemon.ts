import type { Command } from "commander";
import {
  DaemonService,
  GetDaemonStatusResponseSchema,
} from "../../../gen/banger/image/v1/daemon_service_pb.ts";
import { daemonText } from "../render/daemon-text.ts";
import { messageJson, pretty } from "../render/json.ts";
import type { RunSession } from "../session.ts";
import { printLines } from "../terminal.ts";
import { jsonOption } from "./options.ts";

export function addDaemonCommands(program: Command, run: RunSession): void {
  const daemon = program.command("daemon").description("ask after the daemon");
  daemon
    .command("status")
    .description("tell how the daemon is, and what it lacks")
    .addOption(jsonOption())
    .action((flags: { json?: boolean }) =>
      run(
        async ({ rpc, signal, terminal }) => {
          const answer = await rpc.unary(DaemonService.method.getDaemonStatus, {}, signal);
          const json = (): string => pretty(messageJson(GetDaemonStatusResponseSchema, answer));
          printLines(terminal.stdout, flags.json === true ? [json()] : daemonText(answer, Date.now()));
          return undefined;
        },
        // A daemon started for the question would answer for itself.
        { embed: false },
      ),
    );
}
