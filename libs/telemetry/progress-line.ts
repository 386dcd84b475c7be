/** In a terminal the line is written over itself this often at most; elsewhere a new line is written more rarely. */
const TERMINAL_MS = 200;
const PLAIN_MS = 10_000;

/** Shows how far a command is: in a terminal one line, elsewhere a line now and then. */
export class ProgressLine {
  private shownAt = Number.NEGATIVE_INFINITY;
  private isOpen = false;

  constructor(private readonly out: NodeJS.WriteStream) {}

  show(text: string): void {
    const { out } = this;
    const terminal = out.isTTY === true;
    if (performance.now() - this.shownAt < (terminal ? TERMINAL_MS : PLAIN_MS)) return;
    this.shownAt = performance.now();
    this.isOpen = terminal;
    out.write(terminal ? `\r\u001b[2K${text.slice(0, Math.max(20, (out.columns ?? 100) - 1))}` : `${text}\n`);
  }

  /** Takes the line away, so that something else can be written. */
  clear(): void {
    if (this.isOpen) this.out.write('\r\u001b[2K');
    this.isOpen = false;
  }
}
