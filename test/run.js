// `npm test`: the checks, then every test. Plain JavaScript, so that an old Node can say what is wrong.
if (Number(process.versions.node.split(".")[0]) < 26) {
  console.error(
    `The tests need Node 26 or newer, and this is ${process.versions.node}. Run \`npm ci\` first: it brings its own Node, which npm scripts then use.`,
  );
  process.exit(1);
}
await import("./system/suite.ts");
