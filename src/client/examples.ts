/** A command line that works as it stands, given such an image or file, and what it does. */
export interface Example {
  readonly line: string;
  /** Without a full stop. */
  readonly does: string;
}

/** By a command's path. A shell's `>` or `|` ends what is banger's part of a line. */
const examples: Readonly<Record<string, readonly Example[]>> = {
  banger: [
    { line: "banger image pull debian:bookworm", does: "make a root file system, named debian-bookworm" },
    { line: "banger image inspect debian-bookworm", does: "where it is, what it holds, whether it boots" },
    { line: "banger image ls", does: "all that there is" },
    { line: "banger daemon status", does: "what is not as it should be, and what to do about it" },
  ],
  "banger image pull": [
    { line: "banger image pull debian:bookworm", does: "from Docker Hub, named debian-bookworm" },
    { line: "banger image pull ghcr.io/org/app:1.2 --name app --size 4G", does: "name and size of your own" },
    { line: "banger image pull oci:build/image:latest", does: "from an OCI layout in a folder, no registry" },
    { line: "banger image pull docker-archive:app.tar", does: "from what docker save wrote" },
    {
      line: "banger image pull debian:bookworm --kernel-ref microvm",
      does: "with a catalog's kernel beside it, ready to start",
    },
    { line: "banger image pull debian:bookworm --quiet", does: "for scripts: the id alone" },
  ],
  "banger image ls": [
    { line: "banger image ls --sort largest", does: "what takes the most space, first" },
    { line: "banger image ls --prefix debian --json", does: "for programs" },
  ],
  "banger image inspect": [
    { line: "banger image inspect debian-bookworm", does: "everything, for reading" },
    { line: "banger image inspect debian-bookworm --json", does: "the same for programs, as rootfsPath" },
    {
      line: "banger image inspect debian-bookworm --vmm qemu > start.sh",
      does: "what starts it in a virtual machine, where it has a kernel",
    },
    {
      line: "banger image inspect debian-bookworm --vmm qemu --disk copy.ext4 > start.sh",
      does: "the same, for a disk that image export wrote, which the machine may change",
    },
  ],
  "banger image rename": [
    { line: "banger image rename debian-bookworm base", does: "it is base from now on" },
  ],
  "banger image rm": [
    { line: "banger image rm base app", does: "delete both, with their files" },
    { line: "banger image rm 4f0c12ab9e31", does: "by its id, or the beginning of it" },
  ],
  "banger image verify": [
    { line: "banger image verify base", does: "names, owners, modes, times, links" },
    { line: "banger image verify base --full", does: "and every byte of every file" },
  ],
  "banger image resolve": [
    { line: "banger image resolve debian:bookworm", does: "its digest, its layers, what is to fetch" },
    { line: "banger image resolve debian:bookworm --platform linux/arm64", does: "for another processor" },
  ],
  "banger image files": [
    { line: "banger image files base", does: "the root folder, as ls -l shows one" },
    { line: "banger image files base /etc --json", does: "for programs, names as bytes too" },
  ],
  "banger image cat": [
    { line: "banger image cat base /etc/os-release", does: "one file, without a mount" },
    { line: "banger image cat base /bin/ls > ls", does: "any file: bytes stay as they are" },
  ],
  "banger image diff": [
    { line: "banger image diff base app", does: "what app adds to base, changes or lacks" },
    {
      line: "banger image diff base app --no-times --limit 20",
      does: "without times; no more than 20 paths",
    },
  ],
  "banger image du": [
    { line: "banger image du base", does: "the largest folders, files and layers" },
    { line: "banger image du base /usr --depth 2", does: "inside /usr, two levels of folders" },
  ],
  "banger image export": [
    { line: "banger image export base -o base.ext4", does: "a copy of your own, with holes" },
    {
      line: "banger image export base --format zstd -o - | ssh host zstd -d -o base.ext4",
      does: "elsewhere",
    },
  ],
  "banger pull ls": [
    { line: "banger pull ls", does: "the last pulls, and why one failed" },
    { line: "banger pull ls --active", does: "those under way or waiting" },
  ],
  "banger pull watch": [
    { line: "banger pull watch p7d21c0a4b66e90f1", does: "join a pull that somebody started" },
  ],
  "banger pull cancel": [
    {
      line: "banger pull cancel p7d21c",
      does: "end it for all who watch it; the beginning of its id will do",
    },
  ],
  "banger kernel ls": [{ line: "banger kernel ls", does: "the kernels that are here" }],
  "banger kernel catalog": [
    { line: "banger kernel catalog", does: "the kernels that --kernel-ref may name, and their catalogs" },
  ],
  "banger kernel pull": [
    { line: "banger kernel pull microvm", does: "of a catalog" },
    {
      line: "banger kernel pull deb:linux-image-6.1.0-56-cloud-amd64_6.1.192-2_amd64.deb --name cloud",
      does: "out of a Debian package of this machine",
    },
    { line: "banger kernel pull artifact:ghcr.io/org/kernel:6.1", does: "from a registry" },
  ],
  "banger kernel import": [
    {
      line: "banger kernel import mine --kernel vmlinuz --initrd initrd.img --modules lib/modules/6.1.0",
      does: "built or found on this machine",
    },
  ],
  "banger kernel rm": [
    { line: "banger kernel rm mine", does: "unless an image uses it; --force deletes it all the same" },
  ],
  "banger cache usage": [{ line: "banger cache usage", does: "what downloads take, and what nobody needs" }],
  "banger cache prune": [
    { line: "banger cache prune --unused-for 7d --dry-run", does: "only tell what would go" },
    { line: "banger cache prune --keep 10G", does: "until it is no larger, the oldest first" },
  ],
  "banger daemon status": [
    { line: "banger daemon status", does: "where it keeps things, and what it lacks" },
  ],
  "banger completion": [
    {
      line: "banger completion bash | install -D /dev/stdin ~/.local/share/bash-completion/completions/banger",
      does: "for bash",
    },
    {
      line: "banger completion zsh | install -D /dev/stdin ~/.zfunc/_banger",
      does: "for zsh, where fpath has ~/.zfunc",
    },
    {
      line: "banger completion fish | install -D /dev/stdin ~/.config/fish/completions/banger.fish",
      does: "for fish",
    },
  ],
};

/** Examples of a command that only groups others: one of each, no more than fit beside its list. */
const ofGroup = 4;

/** How a command is used. */
export function examplesOf(path: string): readonly Example[] {
  const own = examples[path];
  if (own !== undefined) return own;
  return Object.entries(examples)
    .filter(([other]) => other.startsWith(`${path} `))
    .flatMap(([, ofOther]) => ofOther.slice(0, 1))
    .slice(0, ofGroup);
}

/** All command paths that have examples of their own. */
export function exemplified(): readonly string[] {
  return Object.keys(examples);
}

/** As the help shows them: what is done, and below it the line to paste. */
export function exampleText(path: string): string {
  const shown = examplesOf(path).flatMap(({ line, does }) => [`  # ${does}`, `  ${line}`]);
  return shown.length === 0 ? "" : ["", "Examples:", ...shown].join("\n");
}
