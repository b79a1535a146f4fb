/** A try that failed and will be repeated: shown to people, so that a pause has a reason. */
export interface RetryNotice {
  /** As `layer 0123456789ab`. */
  readonly subject: string;
  /** The try that comes, from 2. */
  readonly attempt: number;
  readonly delayMs: number;
  readonly why: string;
}

/** What whoever asks a source for something gives along. */
export interface SourceOptions {
  readonly signal: AbortSignal;
  readonly onRetry: (notice: RetryNotice) => void;
}
