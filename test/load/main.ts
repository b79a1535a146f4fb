import { runCrowd } from "./crowd.ts";

// `node test/load/main.ts [SECONDS]`: 200 clients at one daemon for five minutes; the suite runs a smaller crowd.
const seconds = Number(process.argv[2] ?? "300");
const report = await runCrowd({
  clients: 200,
  images: 50,
  slowReaders: 10,
  cancels: 20,
  durationMs: seconds * 1000,
});
console.log(JSON.stringify(report, undefined, 2));
process.exitCode = report.complaints.length > 0 ? 1 : 0;
