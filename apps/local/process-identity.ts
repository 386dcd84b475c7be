import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process that runs now; `started` tells it from a later one that got the same id. */
export interface RunningProcess {
  readonly started: string;
  /** Program and arguments, separated by spaces. */
  readonly command: string;
}

/** The process with this id, or undefined when there is none, or only its dead remains (a zombie answers `kill -0`). */
export function runningProcess(pid: number): RunningProcess | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  // slim container images have /proc but no ps, macOS has ps but no /proc
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid);
}

function fromProc(pid: number): RunningProcess | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // the second field, the program's name in brackets, may hold spaces and brackets; proc(5): state is field 3, starttime 22
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return { started: `${boot} ${fields[19]}`, command };
  } catch {
    return undefined;
  }
}

/** The same from `ps`, which every other Unix has. */
export function fromPs(pid: number): RunningProcess | undefined {
  try {
    const columns = ['-o', 'state=', '-o', 'lstart=', '-o', 'command='];
    const options = { env: { ...process.env, LC_ALL: 'C' }, encoding: 'utf8', stdio: 'pipe' } as const;
    const line = execFileSync('ps', ['-ww', ...columns, '-p', String(pid)], options);
    // S    Tue Nov 24 09:09:51 2026 /usr/bin/postgres -D /data
    const match = /^\s*(\S)\S*\s+(\w+\s+\w+\s+\d+\s+[\d:]+\s+\d+)\s+(.*)$/m.exec(line);
    if (!match || match[1] === 'Z') return undefined;
    return { started: match[2]!, command: match[3]! };
  } catch {
    return undefined;
  }
}
