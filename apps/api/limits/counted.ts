/** Counts what is open, of each client and in total, against limits. Nothing is kept of a client that has nothing open. */
export class Counted {
  private readonly byClient = new Map<string, number>();
  private total = 0;

  constructor(
    readonly perClient: number,
    readonly inTotal: number,
  ) {}

  /**
   * Opens one more.
   * @returns a function that closes it (calls after the first do nothing), or which limit is reached.
   */
  open(client: string): (() => void) | 'client' | 'total' {
    const open = this.byClient.get(client) ?? 0;
    if (open >= this.perClient) return 'client';
    if (this.total >= this.inTotal) return 'total';
    this.byClient.set(client, open + 1);
    this.total++;
    let closed = false;
    return () => {
      if (closed) return;
      closed = true;
      this.total--;
      const left = this.byClient.get(client)! - 1;
      if (left) this.byClient.set(client, left);
      else this.byClient.delete(client);
    };
  }
}
