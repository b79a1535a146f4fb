/** Words before a program that run it in a mount namespace of its own, where `script` has changed the file systems. */
export function inNamespace(script: string): readonly string[] {
  const user = process.getuid?.() === 0 ? [] : ["--map-root-user"];
  return ["unshare", "--mount", ...user, "sh", "-ec", `${script}; exec "$@"`, "sh"];
}

/** The same with a small disk of its own mounted on a folder. */
export function withDisk(folder: string, mebibytes: number): readonly string[] {
  return inNamespace(`mount -t tmpfs -o size=${mebibytes}m,mode=700 none '${folder}'`);
}
