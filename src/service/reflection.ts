import { create, fromBinary, toBinary, type DescFile, type DescService } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { status as Code, type Server } from "@grpc/grpc-js";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import {
  ErrorResponseSchema,
  ExtensionNumberResponseSchema,
  FileDescriptorResponseSchema,
  ListServiceResponseSchema,
  ServerReflection,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import {
  ServerReflection as ServerReflectionAlpha,
  ServerReflectionRequestSchema as AlphaRequestSchema,
  ServerReflectionResponseSchema as AlphaResponseSchema,
} from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import type { ClientBounds } from "./client-bounds.ts";
import { addService, bidiStreaming } from "./routes.ts";

type Answer = ServerReflectionResponse["messageResponse"];

/**
 * Lets grpcurl and its like ask for the API, in both versions of the protocol: older tools know v1alpha alone.
 * See https://github.com/grpc/grpc/blob/master/doc/server-reflection.md
 */
export function addReflection(server: Server, services: readonly DescService[], bounds?: ClientBounds): void {
  const all = [...services, ServerReflection, ServerReflectionAlpha];
  // No service's file imports the details of errors, and tools show those as bytes unless they can ask for them.
  const catalog = new DescriptorCatalog(all, [file_google_rpc_error_details]);
  const info = bidiStreaming(ServerReflection.method.serverReflectionInfo, async function* (requests) {
    for await (const request of requests) yield catalog.respond(request);
  });
  addService(server, ServerReflection, { serverReflectionInfo: info }, bounds);

  // v1alpha has the same fields with the same numbers: the bytes of one are the bytes of the other.
  const alpha = bidiStreaming(ServerReflectionAlpha.method.serverReflectionInfo, async function* (requests) {
    for await (const request of requests) {
      const bytes = toBinary(AlphaRequestSchema, request);
      const response = catalog.respond(fromBinary(ServerReflectionRequestSchema, bytes));
      yield fromBinary(AlphaResponseSchema, toBinary(ServerReflectionResponseSchema, response));
    }
  });
  addService(server, ServerReflectionAlpha, { serverReflectionInfo: alpha }, bounds);
}

class DescriptorCatalog {
  readonly #services: readonly string[];
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();

  constructor(services: readonly DescService[], more: readonly DescFile[]) {
    this.#services = services.map((service) => service.typeName).sort();
    for (const file of [...services.map((service) => service.file), ...more]) this.#add(file);
  }

  respond(request: ServerReflectionRequest): ServerReflectionResponse {
    return create(ServerReflectionResponseSchema, {
      validHost: request.host,
      originalRequest: request,
      messageResponse: this.#answer(request.messageRequest),
    });
  }

  #answer(asked: ServerReflectionRequest["messageRequest"]): Answer {
    switch (asked.case) {
      case "listServices":
        return {
          case: "listServicesResponse",
          value: create(ListServiceResponseSchema, { service: this.#services.map((name) => ({ name })) }),
        };
      case "fileByFilename":
        return filesAnswer(this.#files.get(asked.value), asked.value);
      case "fileContainingSymbol":
        return filesAnswer(this.#symbols.get(asked.value), asked.value);
      case "fileContainingExtension":
        return notFound(`extension ${asked.value.extensionNumber} of ${asked.value.containingType}`);
      case "allExtensionNumbersOfType":
        // The API extends nothing, whatever the type.
        if (!this.#symbols.has(asked.value)) return notFound(asked.value);
        return {
          case: "allExtensionNumbersResponse",
          value: create(ExtensionNumberResponseSchema, { baseTypeName: asked.value }),
        };
      case undefined:
        return errorAnswer(Code.INVALID_ARGUMENT, "the request asks for nothing that is known here");
    }
  }

  #add(file: DescFile): void {
    const { name } = file.proto;
    if (this.#files.has(name)) return;
    this.#files.set(name, file);
    for (const dependency of file.dependencies) this.#add(dependency);
    for (const type of nestedTypes(file)) {
      this.#symbols.set(type.typeName, file);
      if (type.kind !== "service") continue;
      for (const method of type.methods) this.#symbols.set(`${type.typeName}.${method.name}`, file);
    }
  }
}

/** A file and all that it imports, so that the client need not ask for each. */
function filesAnswer(file: DescFile | undefined, asked: string): Answer {
  if (file === undefined) return notFound(asked);
  const files = new Set<DescFile>();
  const collect = (one: DescFile): void => {
    if (files.has(one)) return;
    files.add(one);
    one.dependencies.forEach(collect);
  };
  collect(file);
  const fileDescriptorProto = [...files].map((one) => toBinary(FileDescriptorProtoSchema, one.proto));
  return {
    case: "fileDescriptorResponse",
    value: create(FileDescriptorResponseSchema, { fileDescriptorProto }),
  };
}

function notFound(what: string): Answer {
  return errorAnswer(Code.NOT_FOUND, `there is no ${what.slice(0, 200)}`);
}

function errorAnswer(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: create(ErrorResponseSchema, { errorCode, errorMessage }) };
}
