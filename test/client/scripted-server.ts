import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { DescService } from "@bufbuild/protobuf";
import { CacheService } from "../../gen/banger/image/v1/cache_service_pb.ts";
import { DaemonService } from "../../gen/banger/image/v1/daemon_service_pb.ts";
import { ImageService } from "../../gen/banger/image/v1/image_service_pb.ts";
import { KernelService } from "../../gen/banger/image/v1/kernel_service_pb.ts";
import { serviceDefinition } from "../../src/service/definition.ts";
import type { Route } from "../../src/service/routes.ts";
import { notImplemented } from "../service/not-implemented.ts";

export interface ScriptedServer extends AsyncDisposable {
  readonly socketPath: string;
}

/** A daemon on a socket of its own that answers as the script says, and UNIMPLEMENTED to all else. */
export async function scriptedServer(...script: readonly Route[]): Promise<ScriptedServer> {
  const folder = mkdtempSync(join(tmpdir(), "banger-script-"));
  const socketPath = join(folder, "s.sock");
  const server = new Server();
  for (const service of [ImageService, KernelService, CacheService, DaemonService])
    add(server, service, script);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socketPath}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
  return {
    socketPath,
    [Symbol.asyncDispose]: async () => {
      server.forceShutdown();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function add(server: Server, service: DescService, script: readonly Route[]): void {
  const handlers = service.methods.map((method) => {
    const route = script.find((candidate) => candidate.method === method) ?? notImplemented(method);
    return [method.localName, route.handle] as const;
  });
  server.addService(serviceDefinition(service), Object.fromEntries(handlers));
}
