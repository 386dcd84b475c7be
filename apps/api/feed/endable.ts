/**
 * A generator whose consumer can end it while it waits. `return` of a plain one takes effect only at its next `yield`: what
 * waits for a change that never comes would stay for ever when its client has gone.
 * @param start makes the generator; it must finish soon after the signal is aborted.
 */
export function endable<T>(start: (ended: AbortSignal) => AsyncGenerator<T>): AsyncGenerator<T> {
  const end = new AbortController();
  const generator = start(end.signal);
  const finish = async (): Promise<IteratorResult<T>> => {
    end.abort();
    return generator.return(undefined);
  };
  return {
    next: () => generator.next(),
    return: finish,
    async throw(error) {
      await finish();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await finish();
    },
  };
}
