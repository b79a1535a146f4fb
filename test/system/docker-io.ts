import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "./program.ts";
import { startRealRegistry } from "./real-registry.ts";

const root = join(import.meta.dirname, "..", "..");

/** A registry on loopback that stands for docker.io: what is called `debian:bookworm` there is the demo's image. */
export interface DockerIo extends AsyncDisposable {
  /** Leads banger there, for whoever has that home. */
  leadBanger(home: string): void;
  /** The same for skopeo: its registries.conf. */
  readonly registriesConf: string;
}

export async function startDockerIo(): Promise<DockerIo> {
  await using owned = new AsyncDisposableStack();
  const registry = owned.use(await startRealRegistry());
  const folder = mkdtempSync(join(tmpdir(), "banger-docker-io-"));
  owned.defer(() => rmSync(folder, { recursive: true, force: true }));
  const layout = join(folder, "image");
  runProgram(process.execPath, [join(root, "src/bin/demo.js"), "--pack", layout]);
  const image = `${registry.host}/library/debian:bookworm`;
  const flags = ["--insecure-policy", "copy", "-q", "--dest-tls-verify=false"];
  runProgram("skopeo", [...flags, `oci:${layout}`, `docker://${image}`]);
  const all = owned.move();
  return {
    leadBanger(home) {
      const hosts = join(home, ".config/banger/certs.d/docker.io");
      mkdirSync(hosts, { recursive: true });
      const text = `server = "http://${registry.host}"\n`;
      writeFileSync(join(hosts, "hosts.toml"), text);
    },
    registriesConf: `unqualified-search-registries = ["docker.io"]
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "${registry.host}"
insecure = true
`,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
