import { AsyncLocalStorage } from 'node:async_hooks';

/** What is known of a request, or of an operation of a WebSocket, while it is answered. */
export interface RequestContext {
  /** In the answer's `X-Request-Id`, in the log, and in `extensions.requestId` of errors that are masked. */
  readonly requestId: string;
  /** Whom limits are counted for: a key's number or an address. */
  readonly client: string;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** The request that is being answered; undefined for the process's own work. */
export function currentRequest(): RequestContext | undefined {
  return storage.getStore();
}

/** Does work on behalf of a request. */
export function onBehalfOf<T>(request: RequestContext, work: () => T): T {
  return storage.run(request, work);
}
