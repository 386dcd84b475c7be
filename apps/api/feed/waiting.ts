/** Those who wait for something to happen. */
export class Waiting {
  private readonly wakers = new Set<() => void>();

  /** Waits until all are woken, at most for a time, or until the signal is aborted. */
  async until(ms: number, ended: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.wakers.delete(done);
        ended.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.wakers.add(done);
      ended.addEventListener('abort', done, { once: true });
    });
  }

  /** Wakes all. */
  wake(): void {
    for (const done of [...this.wakers]) done();
  }
}
