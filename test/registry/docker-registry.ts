import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makeTempDir } from "../../src/base/files.ts";

/** Debian's docker-registry, which is the reference implementation, with an empty storage of its own. */
export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
}

export interface DockerRegistryOptions {
  /** Members of the config's `http.tls`: certificate, key, clientcas. */
  readonly tls?: Readonly<Record<string, unknown>>;
  /** The content of an htpasswd file; anyone may come where undefined. */
  readonly htpasswd?: string;
}

export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const folder = await makeTempDir("banger-registry-");
  const host = `127.0.0.1:${await freePort()}`;
  const config = join(folder.path, "config.json");
  const { tls, htpasswd } = options;
  const path = join(folder.path, "htpasswd");
  if (htpasswd !== undefined) await writeFile(path, htpasswd);
  // YAML is a superset of JSON.
  const content = {
    version: "0.1",
    log: { level: "error" },
    storage: { filesystem: { rootdirectory: join(folder.path, "data") } },
    http: { addr: host, ...(tls === undefined ? {} : { tls }) },
    ...(htpasswd === undefined ? {} : { auth: { htpasswd: { realm: "test", path } } }),
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
    const answered = connects(host);
    if (await Promise.race([answered, died])) return;
    await Promise.race([delay(20), died]);
  }
}

async function connects(host: string): Promise<boolean> {
  const { hostname, port } = new URL(`http://${host}`);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: hostname, port: Number(port) }, () => resolve(true));
  socket.once("error", () => resolve(false));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
