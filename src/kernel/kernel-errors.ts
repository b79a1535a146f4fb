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

/** @param ref what was asked for, which would get the name that another kernel has */
export function otherKernelError(
  ref: string,
  { name, source }: { readonly name: string; readonly source: string },
): BangerError {
  return new BangerError(
    "NAME_TAKEN",
    `${ref} would be called ${name}, and that is another kernel, from ${source}`,
    {
      op: "name kernel",
      hint: `Remove that one, with \`banger kernel rm ${name}\`, or bring this one in under a name of its own: \`banger kernel pull --name NAME\`.`,
      facts: { name },
    },
  );
}

export function kernelUnknownError(name: string): BangerError {
  return new BangerError("KERNEL_UNKNOWN", `there is no kernel ${JSON.stringify(name.slice(0, 200))} here`, {
    op: "find kernel",
  });
}
