import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, Server, credentials } from "@grpc/grpc-js";
import { listenOn, type Listener } from "../../src/service/listener.ts";

/** A server on a unix socket of its own, and a client of it; disposing ends both. */
export interface TestServer extends AsyncDisposable {
  readonly folder: string;
  readonly socketPath: string;
  readonly listener: Listener;
  readonly client: Client;
}

export async function serve(
  addServices: (server: Server) => void,
  server = new Server(),
): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), "banger-grpc-"));
  const socketPath = join(folder, "s.sock");
  addServices(server);
  const listener = await listenOn(server, socketPath);
  const client = connectTo(socketPath);
  return {
    folder,
    socketPath,
    listener,
    client,
    [Symbol.asyncDispose]: async () => {
      client.close();
      await listener.close(100);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function connectTo(socketPath: string): Client {
  return new Client(`unix:${socketPath}`, credentials.createInsecure());
}
