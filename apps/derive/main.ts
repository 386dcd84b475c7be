import '#libs/telemetry/node-version.js';
import { deriveConfig } from '#libs/config/config.js';
import { isInLog } from '#libs/events/column.js';
import { events } from '#libs/events/registry.js';
import { openCommandClient, openCommandDatabase } from '#libs/service/chain-command.js';
import { runCommand } from '#libs/service/command.js';
import { requestOf } from './arguments.js';
import { derive } from './derive.js';

await runCommand(async (stop) => {
  const request = requestOf(process.argv.slice(2), process.env, events);
  const { chainId, columns, rpcUrls, parallel } = request;
  const asked = columns.every(isInLog) || chainId === null ? null : { chainId, rpcUrls };
  const config = deriveConfig(process.env, asked);
  // one connection more shows the progress; what is lost with the server is filled again, and its ranges are not done
  const database = await openCommandDatabase(config, { poolSize: parallel + 1, mayLoseCommits: true });
  const client = asked && openCommandClient('derive', asked.chainId, config.rpc!, stop);
  try {
    return await derive(request, { database, client }, stop);
  } finally {
    client?.close();
    await database.close();
  }
});
