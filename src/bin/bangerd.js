#!/usr/bin/env node
// Old syntax, and nothing imported before the check: a Node too old for the program must be able to say so.
var major = Number(process.versions.node.split(".")[0]);
if (major < 26) {
  console.error(
    "bangerd: Node 26 or newer is needed, and this is " +
      process.versions.node +
      ". In a checkout run `npm ci`, then `npm run -s bangerd -- ARGS`: npm brings its own Node.",
  );
  process.exit(1);
}
void import("../service/main.ts").then(function (service) {
  return service.main(process.argv.slice(2));
});
