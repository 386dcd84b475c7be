import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('.', import.meta.url));
/** Brings services and a dozen processes of its own: it runs when the others are done. */
const alone = ['test/torture.test.ts'];

export default defineConfig({
  // vite takes decorator options only from the tsconfig that includes a file; say them once for all
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  resolve: {
    alias: [
      // graphql 16 ships CommonJS and ESM; two copies make "from another module or realm" errors
      { find: /^graphql$/, replacement: 'graphql/index.js' },
      { find: /^#(apps|libs)\/(.*)\.js$/, replacement: `${root}$1/$2.ts` },
      { find: /^#(apps|libs)\/(.*)\.json$/, replacement: `${root}$1/$2.json` },
    ],
  },
  test: {
    setupFiles: ['test/services/node-version.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // two cores: more files at once only make each other slower
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'tests',
          include: ['test/**/*.test.ts'],
          exclude: alone,
          globalSetup: ['test/services/global-setup.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: 'torture', include: alone, sequence: { groupOrder: 1 } } },
    ],
  },
});
