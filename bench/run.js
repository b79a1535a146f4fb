// `npm run bench`, `npm run bench -- download`, `npm run bench -- store`. Plain JavaScript, so that an old Node can say what is wrong.
if (Number(process.versions.node.split(".")[0]) < 26) {
  console.error(
    `The bench needs Node 26 or newer, and this is ${process.versions.node}. Run \`npm ci\` first.`,
  );
  process.exit(1);
}
const [, , what] = process.argv;
await import(what === "download" || what === "store" ? `./${what}.ts` : "./main.ts");
