import type { FileHandle } from "node:fs/promises";
import { BangerError } from "../base/error.ts";
import type { Limits } from "../base/limits.ts";
import { FilePart, openRegular, type FileTree } from "./file-tree.ts";
import { memberName, readMembers, type Member } from "./tar-members.ts";

const op = "read archive";

/** How many links are followed from one name: `docker save` makes one, and a loop must end. */
const maxLinks = 8;

/**
 * The files in a tar archive. Its headers are read once; contents are then read where they lie, and nothing is
 * unpacked. What the headers say is a claim: whoever reads a blob holds it against its digest.
 */
export class ArchiveTree implements FileTree {
  readonly #path: string;
  readonly #limits: Limits;
  #members: Promise<ReadonlyMap<string, Member>> | undefined;

  constructor(path: string, limits: Limits) {
    this.#path = path;
    this.#limits = limits;
  }

  /** @throws BangerError SOURCE_UNKNOWN */
  async open(name: string): Promise<FilePart | undefined> {
    this.#members ??= this.#scan();
    const member = follow(await this.#members, name);
    if (member === undefined) return undefined;
    return new FilePart(await this.#openFile(), member.start, member.size);
  }

  async #scan(): Promise<ReadonlyMap<string, Member>> {
    await using handle = await this.#openFile();
    const { size } = await handle.stat();
    const file = {
      size,
      read: async (buffer: Buffer, at: number) => (await handle.read(buffer, 0, buffer.length, at)).bytesRead,
    };
    return await readMembers(file, this.#path, this.#limits);
  }

  async #openFile(): Promise<FileHandle> {
    const handle = await openRegular(this.#path, op);
    if (handle !== undefined) return handle;
    throw new BangerError("SOURCE_UNKNOWN", `there is no archive file ${this.#path}`, {
      op,
      hint: "Check the path; a folder with an OCI image layout is given as oci:FOLDER.",
    });
  }
}

/** Old versions of Docker save a layer that occurs twice once, and a symbolic link for the other. */
function follow(members: ReadonlyMap<string, Member>, name: string): Member | undefined {
  let at = memberName(name);
  for (let links = 0; links <= maxLinks; links++) {
    const member = at === undefined ? undefined : members.get(at);
    if (member?.target === undefined) return member;
    at = member.target;
  }
  return undefined;
}
