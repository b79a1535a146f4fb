import { BangerError } from "../base/error.ts";

/** What to do about a kernel that has too many bytes, wherever that is found out. */
export const tooLargeHint =
  "It is hardly a kernel; if it is, raise kernel_bytes under [limits] in the config.";

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
