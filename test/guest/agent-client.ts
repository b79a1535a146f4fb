import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Splits what came until the other side closed; null when it closed without a word. */
export function parseAnswer(bytes: Buffer): Answer | null {
  if (bytes.length === 0) return null;
  const text = bytes.toString("utf8");
  const end = text.indexOf("\r\n\r\n");
  const status = /^HTTP\/1\.1 (\d{3}) [A-Z]/.exec(text)?.[1];
  if (end < 0 || status === undefined) throw new Error(`not an answer: ${text.slice(0, 200)}`);
  return { status: Number(status), head: text.slice(0, end), body: text.slice(end + 4) };
}

/** Reads to the end. The agent closes first, always. */
export async function readAnswer(socket: Socket): Promise<Answer | null> {
  const pieces: Buffer[] = [];
  socket.on("data", (piece: Buffer) => pieces.push(piece));
  await once(socket, "close");
  return parseAnswer(Buffer.concat(pieces));
}

export async function open(path: string): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: true });
  await once(socket, "connect");
  socket.on("end", () => socket.end());
  return socket;
}

/** Sends bytes and reads the answer, without closing its own side. */
export async function ask(path: string, bytes: string): Promise<Answer | null> {
  const socket = await open(path);
  const answer = readAnswer(socket);
  socket.write(Buffer.from(bytes, "latin1"));
  return await answer;
}

export async function get(path: string, target: string): Promise<Answer | null> {
  return await ask(path, `GET ${target} HTTP/1.1\r\nHost: guest\r\n\r\n`);
}

/** Starts the agent on a unix socket and waits until it takes connections. */
export async function startAgent(program: string, path: string): Promise<ChildProcess> {
  const agent = spawn(program, ["--unix", path], { stdio: ["ignore", "ignore", "inherit"] });
  for (let attempt = 0; ; attempt++) {
    try {
      (await open(path)).destroy();
      return agent;
    } catch (error) {
      if (attempt === 100 || agent.exitCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
