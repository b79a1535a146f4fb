interface AssetBase {
  /** Where the image is asked to have it: absolute, without the slash in front. */
  readonly path: string;
}

export interface FileAsset extends AssetBase {
  readonly kind: "file";
  readonly mode: number;
  readonly content: Buffer;
}

export interface LinkAsset extends AssetBase {
  readonly kind: "symlink";
  readonly target: string;
}

/** Made where the image has no such folder; one that it has stays as it is. */
export interface FolderAsset extends AssetBase {
  readonly kind: "directory";
  readonly mode: number;
}

/** One thing that goes into an image, owned by root there. */
export type GuestAsset = FileAsset | LinkAsset | FolderAsset;
