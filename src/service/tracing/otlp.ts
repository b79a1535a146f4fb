import { randomBytes } from "node:crypto";

/**
 * OTLP over HTTP in its JSON encoding, as far as finished spans need it:
 * https://opentelemetry.io/docs/specs/otlp/#otlphttp and opentelemetry-proto's trace/v1/trace.proto.
 *
 * OpenTelemetry's own packages would bring some twenty more with them, and hooks for tracing a program as it runs. Here
 * the spans of a pull are known once it has ended: what is left is one document and one POST.
 */
export type AttributeValue = string | number | boolean;

export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;

/** Times are milliseconds since 1970. */
export interface Span {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
  readonly attributes: Attributes;
  /** What went wrong; undefined where nothing did. */
  readonly error?: string | undefined;
  readonly children: readonly Span[];
}

export interface Resource {
  readonly name: string;
  readonly version: string;
  readonly instanceId: string;
}

/** trace.proto, Span.SpanKind and Status.StatusCode. */
const kindInternal = 1;
const statusError = 2;

/** The body of a request to `/v1/traces`: one trace, of a span and all below it. */
export function traceRequest(resource: Resource, root: Span, newId = randomId): unknown {
  const { name, version, instanceId } = resource;
  const service = { "service.name": name, "service.version": version, "service.instance.id": instanceId };
  const spans = encodeSpans(root, newId(16), undefined, newId);
  return {
    resourceSpans: [
      {
        resource: { attributes: encodeAttributes(service) },
        scopeSpans: [{ scope: { name, version }, spans }],
      },
    ],
  };
}

function encodeSpans(
  span: Span,
  traceId: string,
  parentSpanId: string | undefined,
  newId: (bytes: number) => string,
): readonly unknown[] {
  const spanId = newId(8);
  const { name, begin, end, attributes, error, children } = span;
  const encoded = {
    traceId,
    spanId,
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    name,
    kind: kindInternal,
    startTimeUnixNano: nanoseconds(begin),
    endTimeUnixNano: nanoseconds(Math.max(begin, end)),
    attributes: encodeAttributes(attributes),
    ...(error === undefined ? {} : { status: { code: statusError, message: error } }),
  };
  return [encoded, ...children.flatMap((child) => encodeSpans(child, traceId, spanId, newId))];
}

/** A 64-bit number is a string in JSON (protobuf's JSON mapping); of a double only microseconds are sure. */
function nanoseconds(ms: number): string {
  return `${Math.round(ms * 1000)}000`;
}

function encodeAttributes(attributes: Attributes): readonly unknown[] {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: encodeValue(value) }],
  );
}

function encodeValue(value: AttributeValue): unknown {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

/** OTLP/JSON has ids in hex, unlike other bytes of protobuf's JSON. */
function randomId(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}
