// `npm run bench`. Plain JavaScript, so that an old Node can say what is wrong.
if (Number(process.versions.node.split(".")[0]) < 26) {
  console.error(
    `The bench needs Node 26 or newer, and this is ${process.versions.node}. Run \`npm ci\` first.`,
  );
  process.exit(1);
}
await import("./main.ts");
