// plain JavaScript, which loads run.ts as the tests are loaded
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const options = { configFile: at('../../vitest.config.ts'), logLevel: 'silent' };
// the module does its work while it is loaded: what it imports later could not be found any more
const { module } = await runnerImport(at('./run.ts'), options);
process.exit(module.exitCode);
