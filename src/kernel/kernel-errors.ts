import { BangerError } from "../base/error.ts";

export function kernelTakenError(name: string): BangerError {
  return new BangerError("NAME_TAKEN", `there is a kernel ${name} already`, {
    op: "name kernel",
    hint: `Choose another name, or delete that one: banger kernel rm ${name}.`,
    fields: [{ field: "name", description: "Another kernel has it." }],
    facts: { name },
  });
}

export function kernelUnknownError(name: string): BangerError {
  return new BangerError("KERNEL_UNKNOWN", `there is no kernel ${JSON.stringify(name.slice(0, 200))} here`, {
    op: "find kernel",
  });
}
