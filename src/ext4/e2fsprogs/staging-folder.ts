import { closeSync, constants, openSync } from "node:fs";
import { bytesToBuffer, sliceBytes, type ByteString } from "../../base/bytes.ts";

/** PATH_MAX with its NUL is 4,096; the number of a file descriptor takes a few bytes more than we count. */
const maxPathBytes = 4000;

/**
 * Names files below a folder for system calls. A path that is too long for one call is cut: the directory
 * in its middle is opened, and `/proc/self/fd/N` stands for it. Every directory on the way must be a real one
 * that nobody else can replace: so no symlink is made before the last path is taken.
 *
 * Disposing closes what was opened.
 */
export class StagingFolder implements Disposable {
  readonly #prefix: Buffer;
  /** The directory opened last: paths come in order, so the next mostly shares it. */
  #anchor: { readonly path: ByteString; readonly fd: number; readonly folder: StagingFolder } | undefined;

  constructor(root: string | Buffer) {
    this.#prefix = Buffer.concat([Buffer.from(root), Buffer.from("/")]);
  }

  /** The path of something in the folder; `path` is relative, and empty for the folder itself. */
  path(path: ByteString): Buffer {
    if (this.#prefix.length + path.length <= maxPathBytes)
      return Buffer.concat([this.#prefix, bytesToBuffer(path)]);
    const cut = path.lastIndexOf("/", maxPathBytes - this.#prefix.length);
    return this.#anchorAt(sliceBytes(path, 0, cut)).path(sliceBytes(path, cut + 1));
  }

  [Symbol.dispose](): void {
    const anchor = this.#anchor;
    this.#anchor = undefined;
    if (anchor === undefined) return;
    anchor.folder[Symbol.dispose]();
    closeSync(anchor.fd);
  }

  #anchorAt(path: ByteString): StagingFolder {
    if (this.#anchor?.path === path) return this.#anchor.folder;
    this[Symbol.dispose]();
    const fd = openSync(this.path(path), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    const folder = new StagingFolder(`/proc/self/fd/${fd}`);
    this.#anchor = { path, fd, folder };
    return folder;
  }
}
