import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { ProgressLine } from '#libs/telemetry/progress-line.js';

/** What a stream is written, a terminal or not. */
function output(isTTY: boolean): { stream: NodeJS.WriteStream; written: () => string } {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  return {
    stream: Object.assign(stream, { isTTY, columns: 30 }) as unknown as NodeJS.WriteStream,
    written: () => text,
  };
}

test('a terminal gets one line that fits and is taken away again', () => {
  const { stream, written } = output(true);
  const progress = new ProgressLine(stream);
  progress.show('x'.repeat(100));
  progress.clear();
  progress.clear();
  expect(written()).toBe(`\r\u001b[2K${'x'.repeat(29)}\r\u001b[2K`);
});

test('elsewhere a line is written whole, and the next one only later', () => {
  const { stream, written } = output(false);
  const progress = new ProgressLine(stream);
  progress.show('x'.repeat(100));
  progress.show('soon after');
  progress.clear();
  expect(written()).toBe(`${'x'.repeat(100)}\n`);
});
