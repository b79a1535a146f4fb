import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { CacheService, GetCacheUsageResponseSchema } from "../../../gen/banger/image/v1/cache_service_pb.ts";
import { messageJson, pretty } from "../render/json.ts";
import { right, table } from "../render/table.ts";
import { formatBytes, formatCount, plural } from "../render/units.ts";
import type { RunSession } from "../session.ts";
import { parseAge, parseSize } from "../size.ts";
import { printAnswer, printLines } from "../terminal.ts";
import { jsonOption } from "./options.ts";

interface PruneFlags {
  readonly unusedFor?: string;
  readonly keep?: string;
  readonly all?: boolean;
  readonly dryRun?: boolean;
}

export function addCacheCommands(program: Command, run: RunSession): void {
  const cache = program.command("cache").description("look after what was downloaded");
  cache
    .command("usage")
    .description("tell what the cache holds")
    .addOption(jsonOption())
    .action((flags: { json?: boolean }) =>
      run(async ({ rpc, signal, terminal }) => {
        const answer = await rpc.unary(CacheService.method.getCacheUsage, {}, signal);
        const rows = answer.usages.map((usage) => [
          usage.kind,
          formatCount(usage.fileCount),
          formatBytes(usage.bytes),
          formatBytes(usage.unusedBytes),
        ]);
        const json = (): string => pretty(messageJson(GetCacheUsageResponseSchema, answer));
        printAnswer(terminal, flags, json, (columns) =>
          table(["KIND", right("FILES"), right("SIZE"), right("UNUSED")], rows, columns),
        );
        return undefined;
      }),
    );
  cache
    .command("prune")
    .description("delete what is not needed")
    .option("--unused-for <time>", "only what was last used longer ago, as 7d")
    .option("--keep <size>", "until the cache is no larger, as 10G")
    .option("--all", "what published images refer to as well")
    .option("--dry-run", "only tell what would be deleted")
    .action((flags: PruneFlags) =>
      run(async ({ rpc, signal, terminal }) => {
        const request = {
          ...(flags.unusedFor === undefined ? {} : { unusedFor: durationFromMs(parseAge(flags.unusedFor)) }),
          keepBytes: flags.keep === undefined ? 0n : parseSize(flags.keep),
          all: flags.all ?? false,
          dryRun: flags.dryRun ?? false,
        };
        const answer = await rpc.unary(CacheService.method.pruneCache, request, signal);
        const what = `${plural(answer.removedCount, "file")}, ${formatBytes(answer.freedBytes)}`;
        printLines(terminal.stdout, [flags.dryRun === true ? `would delete ${what}` : `deleted ${what}`]);
        return undefined;
      }),
    );
}
