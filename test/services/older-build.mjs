import { registerHooks } from 'node:module';

// Preloaded into a process of the build (`node --import`), it makes an older one of it: one whose registry lacks the events WITHOUT_EVENTS.
const lacking = process.env.WITHOUT_EVENTS.split(',');

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.endsWith('/dist/libs/events/registry.js')) return loaded;
    const source = String(loaded.source);
    const filter = `.filter(({ name }) => !${JSON.stringify(lacking)}.includes(name))`;
    const older = source.replace(/registered\(\[[^\]]*\]\)/, (all) => all + filter);
    if (older === source) throw new Error(`${url} has no list of events that could be cut`);
    return { ...loaded, source: older };
  },
});
