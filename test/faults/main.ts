import { keepCompiled } from "../system/compile-cache.ts";
import { campaignFigures, runCampaign, type RunReport } from "./campaign.ts";

// `node test/faults/main.ts [RUNS] [FIRST SEED]`: the whole campaign; the suite runs a part of it.
keepCompiled();
const [runs = "500", first = "1"] = process.argv.slice(2);
const reports: RunReport[] = [];
for await (const report of runCampaign(Number(first), Number(runs))) {
  reports.push(report);
  if (report.findings.length > 0) console.log(campaignFigures([report]).slice(2).join("\n"));
  else if (reports.length % 25 === 0) console.log(`${reports.length} runs`);
}
console.log(campaignFigures(reports).join("\n"));
process.exitCode = reports.some(({ findings }) => findings.length > 0) ? 1 : 0;
