import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makeTempDir } from "../../src/base/files.ts";

/** Debian's docker-registry, which is the reference implementation, with an empty storage of its own. */
export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
}

export async function startDockerRegistry(): Promise<DockerRegistry> {
  const folder = await makeTempDir("banger-registry-");
  const host = `127.0.0.1:${await freePort()}`;
  const config = join(folder.path, "config.json");
  // YAML is a superset of JSON.
  const content = {
    version: "0.1",
    log: { level: "error" },
    storage: { filesystem: { rootdirectory: join(folder.path, "data") } },
    http: { addr: host },
  };
  await writeFile(config, JSON.stringify(content));
  const child = spawn("docker-registry", ["serve", config], { stdio: "ignore" });
  const exited = once(child, "exit");
  await untilItAnswers(host, exited);
  const stop = async (): Promise<void> => {
    child.kill();
    await exited;
    await folder[Symbol.asyncDispose]();
  };
  return { host, [Symbol.asyncDispose]: stop };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

async function untilItAnswers(host: string, exited: Promise<unknown>): Promise<void> {
  const died = exited.then(() => {
    throw new Error("docker-registry ended before it answered");
  });
  died.catch(() => {
    // Ends so once it is stopped, too.
  });
  for (;;) {
    const answered = fetch(`http://${host}/v2/`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (await Promise.race([answered, died])) return;
    await Promise.race([delay(20), died]);
  }
}
