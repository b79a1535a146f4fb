import type { Server } from "@grpc/grpc-js";
import { CacheService } from "../../gen/banger/image/v1/cache_service_pb.ts";
import { DaemonService } from "../../gen/banger/image/v1/daemon_service_pb.ts";
import { ImageService } from "../../gen/banger/image/v1/image_service_pb.ts";
import { KernelService } from "../../gen/banger/image/v1/kernel_service_pb.ts";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { cacheRoutes, type CacheDeps } from "./handlers/cache.ts";
import { compareRoutes } from "./handlers/compare.ts";
import { daemonRoutes, type DaemonDeps } from "./handlers/daemon.ts";
import { exportRoutes } from "./handlers/export.ts";
import { fileRoutes } from "./handlers/files.ts";
import { kernelRoutes } from "./handlers/kernels.ts";
import { imageRoutes, type ImageDeps } from "./handlers/images.ts";
import { leaseRoutes } from "./handlers/leases.ts";
import { pullRoutes } from "./handlers/pulls.ts";
import { ClientBounds } from "./client-bounds.ts";
import { addHealth, type HealthService } from "./health.ts";
import { addReflection } from "./reflection.ts";
import type { KernelParts } from "./kernels.ts";
import { addService } from "./routes.ts";

const services = [ImageService, KernelService, CacheService, DaemonService] as const;

export interface ApiDeps extends DaemonDeps, CacheDeps, KernelParts, Pick<ImageDeps, "onImageDeleted"> {}

/** Puts the whole API on a server, health and reflection with it. It does not count as serving yet. */
export function addApi(server: Server, deps: ApiDeps): HealthService {
  const { paths, limits, live } = deps.config;
  const bounds = new ClientBounds(limits);
  const defaultBuilder = () => live.settings.pulls.builder;
  const parts = { ...deps, stateDir: paths.stateDir, limits, defaultBuilder };
  addService(
    server,
    ImageService,
    {
      ...pullRoutes(parts),
      ...imageRoutes(parts),
      ...fileRoutes(parts),
      ...compareRoutes(parts),
      ...exportRoutes(parts),
      ...leaseRoutes(parts),
    },
    bounds,
  );
  addService(server, KernelService, kernelRoutes(parts), bounds);
  addService(server, CacheService, cacheRoutes(parts));
  addService(server, DaemonService, daemonRoutes(deps));
  addReflection(server, [...services, Health], bounds);
  return addHealth(
    server,
    services.map((service) => service.typeName),
    bounds,
  );
}
