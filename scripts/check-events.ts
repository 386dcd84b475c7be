import '#libs/telemetry/node-version.js';
import { events } from '#libs/events/registry.js';
import { eventFolderFaults } from './event-folder-faults.js';

/** Fails when an event's folder lacks its example, holds one that its code reads differently, or isn't in the registry. */
const faults = eventFolderFaults(new URL('../../libs/events/', import.meta.url), events);
if (faults.length) {
  process.stderr.write(
    `The folders of events (libs/events) are not complete:\n${faults.map((one) => `- ${one}\n`).join('')}`,
  );
  process.exit(1);
}
