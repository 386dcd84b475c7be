import '#libs/telemetry/node-version.js';
import { chainCommandConfig } from '#libs/config/config.js';
import { openChainCommand } from '#libs/service/chain-command.js';
import { runCommand } from '#libs/service/command.js';
import { requestOf } from './arguments.js';
import { repair } from './repair.js';

await runCommand(async (stop) => {
  const request = requestOf(process.argv.slice(2), process.env);
  const config = chainCommandConfig(process.env, request);
  const parts = await openChainCommand('repair', request.chainId, config, stop);
  try {
    return await repair(request, parts, stop);
  } finally {
    await parts.close();
  }
});
