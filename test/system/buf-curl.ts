import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { execa } from "execa";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import type { DaemonProcess } from "./daemon-process.ts";

export interface CurlResult {
  readonly ok: boolean;
  readonly stdout: string;
  /** Where the call failed: the gRPC code as `not_found`, the message, and the reason of its ErrorInfo. */
  readonly error: { readonly code: string; readonly message: string; readonly reason: string } | undefined;
}

/** A foreign client, which knows of the API only what reflection tells it. */
export async function bufCurl(daemon: DaemonProcess, ...args: readonly string[]): Promise<CurlResult> {
  const buf = join(import.meta.dirname, "..", "..", "node_modules", ".bin", "buf");
  const fixed = ["--protocol", "grpc", "--unix-socket", daemon.home.socket, "--http2-prior-knowledge"];
  const cwd = daemon.home.folder;
  const { exitCode, stdout, stderr } = await execa(buf, ["curl", ...fixed, ...args], { cwd, reject: false });
  return { ok: exitCode === 0, stdout, error: exitCode === 0 ? undefined : parseError(stderr) };
}

function parseError(stderr: string): CurlResult["error"] {
  const from = stderr.indexOf("{");
  if (from < 0) throw new Error(`buf curl failed without an answer: ${stderr}`);
  const parsed: unknown = JSON.parse(stderr.slice(from, stderr.lastIndexOf("}") + 1));
  if (typeof parsed !== "object" || parsed === null || !("code" in parsed)) throw new Error(stderr);
  const message = "message" in parsed ? String(parsed.message) : "";
  return { code: String(parsed.code), message, reason: reasonIn(parsed) };
}

/** buf shows what it can't look up by reflection as the bytes that it got. */
function reasonIn(error: object): string {
  const details: readonly unknown[] = "details" in error && Array.isArray(error.details) ? error.details : [];
  for (const detail of details) {
    if (typeof detail !== "object" || detail === null || !("type" in detail) || !("value" in detail))
      continue;
    if (detail.type !== "google.rpc.ErrorInfo") continue;
    return fromBinary(ErrorInfoSchema, Buffer.from(String(detail.value), "base64")).reason;
  }
  return "";
}
