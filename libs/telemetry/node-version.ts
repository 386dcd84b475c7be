/** Oldest Node that the dependencies accept (MikroORM 7 says 22.17); npm scripts bring Node 24 along on Linux. */
const OLDEST_NODE_MAJOR = 22;

/**
 * Ends the process with one clear line when it runs on a Node that is too old.
 * Import this module first in an entry point: the dependencies fail on Node 20 only later, and cryptically.
 */
if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE_MAJOR) {
  process.stderr.write(
    `Node ${process.versions.node} is too old: Event Monitor needs Node ${OLDEST_NODE_MAJOR}.17 or newer. ` +
      'Start it through npm (npm start, npm run …), which brings the right Node along.\n',
  );
  process.exit(1);
}

export {};
