/**
 * Messages turned into something else, one by one. Not a generator: this one can be ended while it waits, too, as what it is made
 * from can (`endable`).
 * @param each makes what is given of a message. @param over called when they end, however they do; more than once, maybe.
 */
export function mapped<T, U>(
  source: AsyncIterator<T>,
  each: (message: T) => U | Promise<U>,
  over: () => void = () => {},
): AsyncGenerator<U> {
  const end = async (): Promise<IteratorResult<U>> => {
    over();
    await source.return?.();
    return { done: true, value: undefined };
  };
  return {
    async next() {
      try {
        const { done, value } = await source.next();
        if (!done) return { done: false, value: await each(value) };
      } catch (error) {
        over();
        throw error;
      }
      over();
      return { done: true, value: undefined };
    },
    return: end,
    async throw(error) {
      await end();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await end();
    },
  };
}
