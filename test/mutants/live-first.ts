import { by, type InvariantMutants } from './mutant.js';

export const liveFirst: InvariantMutants = {
  invariant: 'I4',
  mutants: [
    {
      name: 'says no news while history is under way',
      file: 'apps/fetcher/chain-follower.ts',
      search: 'const wait = await this.newsStep(lead);',
      replace: 'const wait = this.history?.outstanding ? WINDOW_MS : await this.newsStep(lead);',
      killers: [by('pipeline-simulator', 'new blocks are stored while most of the history is still missing')],
    },
    {
      name: 'lets history go before news where calls are capped',
      file: 'libs/chain/rate-limiter.ts',
      search: "return news.length && !isDue ? 'news' : 'history';",
      replace: "return news.length && !isDue ? 'history' : 'news';",
      killers: [
        by('rpc-rate-limit', 'news go before history that waited longer, and history still gets its share'),
      ],
    },
    {
      name: 'begins with the history: the first news start at block 0',
      file: 'apps/fetcher/decide.ts',
      search: "if (top < 0) return { kind: 'advance', above: safe.number - 1, from: safe.number };",
      replace: "if (top < 0) return { kind: 'advance', above: -1, from: 0 };",
      killers: [by('fetcher-decisions', 'begins with the final block when nothing is stored')],
    },
  ],
};
