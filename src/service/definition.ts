import {
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type DescService,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";

/** A method of a generated service, with its messages known to the compiler. */
export type Method<
  K extends DescMethod["methodKind"],
  I extends DescMessage,
  O extends DescMessage,
> = DescMethod & { readonly methodKind: K; readonly input: I; readonly output: O };

/**
 * What grpc-js needs to know of a method, for either end. The `bytes` fields of what it reads are views into
 * 64 KiB pieces of the connection: whoever keeps one copies it.
 */
export function methodDefinition<I extends DescMessage, O extends DescMessage>(
  method: Method<DescMethod["methodKind"], I, O>,
): MethodDefinition<MessageShape<I>, MessageShape<O>> {
  const { input, output, methodKind } = method;
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
    responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
    requestSerialize: (message) => bufferOf(toBinary(input, message)),
    requestDeserialize: (bytes) => fromBinary(input, bytes),
    responseSerialize: (message) => bufferOf(toBinary(output, message)),
    responseDeserialize: (bytes) => fromBinary(output, bytes),
  };
}

/** All methods of a generated service, by their name in the code. */
export function serviceDefinition(service: DescService): ServiceDefinition {
  return Object.fromEntries(service.methods.map((method) => [method.localName, methodDefinition(method)]));
}

/** The same bytes, not a copy. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
