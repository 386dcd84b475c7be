import '#libs/telemetry/node-version.js';
