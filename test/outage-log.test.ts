import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { OutageLog } from '#libs/telemetry/outage-log.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function logOf() {
  const lines: string[] = [];
  const say = (line: string) => void lines.push(line);
  return { lines, outage: new OutageLog({ warn: say, info: say } as never, 'back') };
}

test('an outage is told when it begins, once a minute while it lasts, and when it is over', () => {
  const { lines, outage } = logOf();
  outage.ended();
  for (let second = 0; second < 150; second++) {
    outage.failed(`try ${second}`);
    vi.advanceTimersByTime(1_000);
  }
  outage.ended();
  outage.ended();
  expect(lines).toEqual(['try 0', 'try 60 (for 60 s now)', 'try 120 (for 120 s now)', 'back, after 150 s']);
});

test('another kind of failure is told at once, each kind once a minute', () => {
  const { lines, outage } = logOf();
  for (let second = 0; second < 59; second++) {
    outage.failed('refused', 'refused');
    outage.failed('wrong chain', 'wrong');
    vi.advanceTimersByTime(1_000);
  }
  expect(lines).toEqual(['refused', 'wrong chain']);
});

test('what comes and goes every second is told four times a minute at most', () => {
  const { lines, outage } = logOf();
  for (let second = 0; second < 60; second++) {
    outage.failed('away');
    vi.advanceTimersByTime(500);
    outage.ended();
    vi.advanceTimersByTime(500);
  }
  expect(lines.filter((line) => line === 'away')).toHaveLength(4);
  expect(lines).toHaveLength(8);
});
