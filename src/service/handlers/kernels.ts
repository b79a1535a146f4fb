import { create } from "@bufbuild/protobuf";
import {
  DeleteKernelResponseSchema,
  GetKernelResponseSchema,
  ImportKernelResponseSchema,
  KernelService,
  ListCatalogResponseSchema,
  ListKernelsResponseSchema,
  PullKernelResponseSchema,
} from "../../../gen/banger/image/v1/kernel_service_pb.ts";
import { kernelUnknownError } from "../../kernel/kernel-errors.ts";
import type { KernelRecord } from "../../kernel/kernel-record.ts";
import type { KernelStore } from "../../kernel/kernel-store.ts";
import type { KernelCatalog, KernelProgress } from "../../kernel/kernel-source.ts";
import type { KernelUse, Store } from "../../store/store.ts";
import { durationMessage } from "../convert.ts";
import { catalogMessage, kernelMessage } from "../convert-kernel.ts";
import { Latest } from "../latest.ts";
import { parseFiles, parseKernelName, parseLocalName } from "../parse-kernel.ts";
import { badPageToken, parsePageSize } from "../parse-request.ts";
import { serverStreaming, unary } from "../routes.ts";
import { required } from "./images.ts";

export interface KernelDeps {
  readonly store: Store;
  readonly kernels: KernelStore;
  readonly catalog: KernelCatalog;
  readonly stateDir: string;
}

export function kernelRoutes({ store, kernels, catalog, stateDir }: KernelDeps) {
  const { method } = KernelService;
  const shown = ({ kernel, imageCount }: KernelUse) => kernelMessage(kernel, imageCount, stateDir);
  const isNew = (kernel: KernelRecord) => kernelMessage(kernel, 0, stateDir);
  const find = async (name: string): Promise<KernelUse> => {
    const found = await store.findKernel(required(name, "name"));
    if (found === undefined) throw kernelUnknownError(name);
    return found;
  };
  return {
    listKernels: unary(method.listKernels, async ({ pageSize, pageToken }) => {
      const page = { pageSize: parsePageSize(pageSize), pageToken: pageToken || undefined };
      const { kernels: found, nextPageToken } = await store.listKernels(page);
      return create(ListKernelsResponseSchema, { kernels: found.map(shown), nextPageToken });
    }),

    getKernel: unary(method.getKernel, async ({ name }) =>
      create(GetKernelResponseSchema, { kernel: shown(await find(name)) }),
    ),

    listCatalog: unary(method.listCatalog, async ({ pageSize, pageToken }, { signal }) => {
      const { entries, warnings } = await catalog.list(signal);
      const local = new Set((await store.allKernels()).map(({ name }) => name));
      const from = parseOffset(pageToken);
      const to = from + parsePageSize(pageSize);
      return create(ListCatalogResponseSchema, {
        entries: entries.slice(from, to).map((entry) => catalogMessage(entry, local.has(entry.name))),
        nextPageToken: to < entries.length ? String(to) : "",
        warnings: [...warnings],
      });
    }),

    pullKernel: serverStreaming(method.pullKernel, async function* (request, { signal }) {
      const ref = required(request.name, "name");
      const localName = parseLocalName(ref, request.localName);
      let kernel = await kernels.find(ref, localName);
      if (kernel === undefined) {
        const wanted = await kernels.choose(ref, undefined, signal, localName);
        const progress = new Latest<KernelProgress>();
        const began = performance.now();
        const fetched = kernels.fetch(wanted, { signal, onProgress: (value) => progress.set(value) });
        // An error is thrown where the kernel is awaited: here it only ends the progress.
        const ended = fetched.then(
          () => progress.end(),
          () => progress.end(),
        );
        try {
          for await (const { doneBytes, totalBytes } of progress) {
            const elapsed = durationMessage(performance.now() - began);
            const value = { doneBytes: BigInt(doneBytes), totalBytes: BigInt(totalBytes), elapsed };
            yield create(PullKernelResponseSchema, { event: { case: "progress", value } });
          }
        } finally {
          await ended;
        }
        kernel = await fetched;
      }
      const value = shown((await store.findKernel(kernel.name)) ?? { kernel, imageCount: 0 });
      yield create(PullKernelResponseSchema, { event: { case: "kernel", value } });
    }),

    importKernel: unary(
      method.importKernel,
      async ({ name, kernelPath, initrdPath, modulesPath }, { signal }) => {
        const files = parseFiles(kernelPath, initrdPath, modulesPath);
        const kernel = await kernels.import(parseKernelName(name), files, signal);
        return create(ImportKernelResponseSchema, { kernel: isNew(kernel) });
      },
    ),

    deleteKernel: unary(method.deleteKernel, async ({ name, force }) => {
      const { kernel } = await find(name);
      return create(DeleteKernelResponseSchema, { freedBytes: BigInt(await kernels.remove(kernel, force)) });
    }),
  };
}

/** Catalogs are lists, not tables: a page begins at a number. */
function parseOffset(token: string): number {
  if (token === "") return 0;
  if (/^[1-9][0-9]{0,6}$/.test(token)) return Number(token);
  throw badPageToken();
}
