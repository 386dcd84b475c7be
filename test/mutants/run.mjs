import { runnerImport } from 'vite';

await runnerImport(new URL('./t.ts', import.meta.url).pathname, {
  configFile: new URL('../../vitest.config.ts', import.meta.url).pathname,
});
