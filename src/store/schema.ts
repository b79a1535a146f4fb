import type { ColumnType, Generated } from "kysely";

/** The tables as SQLite has them. JSON columns are text that `rows.ts` parses as it would any outside text. */
export interface Schema {
  readonly images: ImagesTable;
  readonly image_layers: ImageLayersTable;
  readonly pulls: PullsTable;
  readonly leases: LeasesTable;
  readonly kernels: KernelsTable;
}

/** A column that is written once. */
type Fixed<T> = ColumnType<T, T, never>;

export interface ImagesTable {
  readonly id: Fixed<string>;
  /** Null is nameless; among the others a name is unique. */
  readonly name: string | null;
  /** Generated: the name, or `~`, which sorts after every character that a name may have. */
  readonly name_order: ColumnType<string, never, never>;
  readonly repository: Fixed<string>;
  readonly reference: Fixed<string>;
  readonly manifest_digest: Fixed<string>;
  readonly index_digest: Fixed<string | null>;
  readonly config_digest: Fixed<string>;
  readonly platform_json: Fixed<string>;
  /** Milliseconds since 1970. */
  readonly created_at: Fixed<number>;
  readonly options_key: Fixed<string>;
  readonly builder: Fixed<string>;
  readonly rootfs_size_bytes: Fixed<number>;
  readonly rootfs_allocated_bytes: Fixed<number>;
  readonly rootfs_digest: Fixed<string | null>;
  readonly filesystem_uuid: Fixed<string>;
  readonly inode_count: Fixed<number>;
  readonly content_bytes: Fixed<number>;
  readonly config_json: Fixed<string>;
  readonly losses_json: Fixed<string>;
  readonly stage_times_json: Fixed<string>;
  readonly injected_files_json: Fixed<string>;
  readonly scrubbed_paths_json: Fixed<string>;
  readonly boot_readiness_json: Fixed<string>;
  /** Null where it has none, or had one of the store that is gone. */
  readonly kernel_id: string | null;
  readonly boot_json: Fixed<string | null>;
}

export interface ImageLayersTable {
  readonly image_id: string;
  /** From 0, oldest first. */
  readonly position: number;
  readonly digest: string;
  readonly diff_id: string;
  readonly media_type: string;
  readonly size_bytes: number;
  readonly inflated_bytes: number;
  readonly entry_count: number;
}

export interface PullsTable {
  readonly id: Fixed<string>;
  readonly reference: string;
  readonly name: string;
  readonly state: string;
  readonly started_at: number;
  readonly ended_at: number | null;
  readonly manifest_digest: string | null;
  readonly image_id: string | null;
  readonly stage_times_json: string;
  readonly failure_reason: string;
  readonly failure_message: string;
  /** 0 or 1. */
  readonly detached: Generated<number>;
  /** Opaque here; empty where the pull can't go on after a restart. */
  readonly request_json: ColumnType<string, string | undefined, never>;
  /** 0 or 1: it had credentials, which are nowhere. */
  readonly had_credentials: ColumnType<number, number | undefined, never>;
}

export interface KernelsTable {
  readonly id: Fixed<string>;
  readonly name: Fixed<string>;
  readonly version: Fixed<string>;
  readonly architecture: Fixed<string>;
  readonly digest: Fixed<string>;
  readonly content_digest: Fixed<string>;
  readonly size_bytes: Fixed<number>;
  /** Milliseconds since 1970. */
  readonly created_at: Fixed<number>;
  readonly source: Fixed<string>;
  readonly details_json: Fixed<string>;
}

export interface LeasesTable {
  readonly id: Fixed<string>;
  readonly image_id: Fixed<string>;
  readonly holder: string;
  /** Milliseconds since 1970. */
  readonly acquired_at: Fixed<number>;
  readonly expires_at: number;
}
