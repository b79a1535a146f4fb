import { spawn } from "node:child_process";
import { once } from "node:events";
import type { DebianKernel } from "./debian-kernel.ts";
import { runProgram } from "./program.ts";

/** As long as a boot in software emulation may take on a busy machine, in milliseconds. */
const bootMs = 240_000;

export interface BootOptions {
  /** Added to the kernel's command line. */
  readonly append?: string;
  /** With a network card, on a network of QEMU's own that leads nowhere. */
  readonly network?: boolean;
  /** Cuts its power as soon as the console says this. */
  readonly killWhen?: RegExp;
  /** Longer than a boot takes, in milliseconds, for a machine that is to work for a while. */
  readonly bootMs?: number;
}

export interface Booted {
  /** All that the machine said on its serial console, without carriage returns. */
  readonly console: string;
  readonly seconds: number;
}

/** A copy of a published image, for a machine to write to. */
export function copyDisk(rootfs: string, copy: string): string {
  runProgram("cp", ["--sparse=always", rootfs, copy]);
  return copy;
}

/** Boots a disk as an NVMe drive in QEMU's software emulation, with no initrd, and waits until it powers off. */
export async function boot(disk: string, kernel: DebianKernel, options: BootOptions = {}): Promise<Booted> {
  // On a busy host the emulated timer may miss the moment in which the kernel tries it, and that is a panic.
  const append = `root=/dev/nvme0n1 rw console=ttyS0 loglevel=4 panic=-1 no_timer_check net.ifnames=0 ${options.append ?? ""}`;
  const network = ["-netdev", "user,id=net,restrict=on", "-device", "virtio-net-pci,netdev=net,romfile="];
  const words = [
    ...["-machine", "pc", "-accel", "tcg", "-cpu", "max", "-m", "512", "-smp", "2", "-nodefaults"],
    ...["-display", "none", "-no-reboot", "-serial", "stdio"],
    ...["-kernel", kernel.path, "-append", append],
    ...["-drive", `file=${disk},format=raw,if=none,id=root`, "-device", "nvme,drive=root,serial=root"],
    ...(options.network === true ? network : ["-nic", "none"]),
  ];
  return runMachine("qemu-system-x86_64", words, options);
}

/** Runs the command that `image inspect --vmm qemu` printed, as it is, in a shell, until the machine powers off. */
export function bootPrinted(command: string): Promise<Booted> {
  return runMachine("sh", ["-c", `exec ${command}`], {});
}

async function runMachine(program: string, words: readonly string[], options: BootOptions): Promise<Booted> {
  const began = performance.now();
  const machine = spawn(program, [...words], { stdio: ["ignore", "pipe", "pipe"] });
  const timer = setTimeout(() => machine.kill("SIGKILL"), options.bootMs ?? bootMs);
  let said = "";
  for (const stream of [machine.stdout, machine.stderr])
    // A character's bytes may come in two pieces.
    stream.setEncoding("utf8").on("data", (piece: string) => {
      said += piece;
      if (options.killWhen?.test(said) === true) machine.kill("SIGKILL");
    });
  await once(machine, "close");
  clearTimeout(timer);
  const text = said.replaceAll("\r", "");
  const cutOff = options.killWhen?.test(said) === true;
  if (machine.exitCode !== 0 && !cutOff)
    throw new Error(`qemu: exit ${String(machine.exitCode)}\n${text.slice(-4000)}`);
  return { console: text, seconds: (performance.now() - began) / 1000 };
}
