// plain JavaScript, since nothing is built yet: loads run.ts as the tests are loaded
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const { module } = await runnerImport(at('./run.ts'), {
  configFile: at('../../vitest.config.ts'),
  logLevel: 'silent',
});
process.exit(await module.runMutants(process.argv.slice(2)));
