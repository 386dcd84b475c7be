/** The status page: one self-contained document that asks GraphQL every two seconds. */
export const statusPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Event Monitor</title>
<style>
  :root { color-scheme: light dark; --line: light-dark(#d9dde3, #363c46); --dim: light-dark(#5c6570, #9aa4b2); --card: light-dark(#fff, #1b1f26);
    --ok: light-dark(#137a3e, #4cc38a); --bad: light-dark(#b42318, #ff8b7e); --bar: light-dark(#2f6fdb, #6ea8fe); }
  body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 62rem; padding: 2rem 1rem; background: light-dark(#f5f6f8, #12151a); }
  h1 { font-size: 1.4rem; margin: 0; } header { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: baseline; }
  a { color: var(--bar); } .dim, dt { color: var(--dim); }
  article { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.2rem; margin: 1rem 0; }
  article h2 { font-size: 1.1rem; margin: 0 0 .6rem; display: flex; justify-content: space-between; gap: 1rem; }
  dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .6rem 1rem; margin: 0; }
  dt { font-size: .8rem; } dd { margin: 0; font-variant-numeric: tabular-nums; }
  .following { color: var(--ok); } .trouble { color: var(--bad); }
  h3 { font-size: .8rem; font-weight: normal; color: var(--dim); margin: .8rem 0 .2rem; } ul { margin: 0; padding: 0; list-style: none; overflow-wrap: anywhere; }
  progress { width: 100%; accent-color: var(--bar); margin-top: .8rem; }
</style>
</head>
<body>
<header><h1>Event Monitor</h1><a href="/graphql">GraphiQL: query and subscribe</a><a href="/api">REST</a><span class="dim" id="age" role="status">reading…</span></header>
<form id="access" hidden><label>API key <input id="key" type="password" autocomplete="off" required></label> <button>Show</button></form>
<main id="chains"></main>
<script>
const query = '{ chains { id name state reason head finalized lastProcessedBlock verifiedBlock lagBlocks lagSeconds undecodableLogs explorer { url } endpoints { host healthy reason } sources { address event state backfill { progress etaSeconds } } backfill { blocksWanted blocksStored progress blocksPerSecond etaSeconds } } }';
const percent = share => (Math.floor(share * 1000) / 10) + ' %';
const number = n => n === null ? '–' : Math.round(n).toLocaleString('en');
const duration = s => s === null ? '–' : s < 90 ? Math.round(s) + ' s' : s < 5400 ? Math.round(s / 60) + ' min' : s < 129600 ? (s / 3600).toFixed(1) + ' h' : (s / 86400).toFixed(1) + ' days';
const element = (name, text, className) => { const e = document.createElement(name); e.textContent = text; if (className) e.className = className; return e; };
function card(c) {
  const article = document.createElement('article'), title = element('h2', ''), list = document.createElement('dl'), b = c.backfill;
  title.append(element('span', c.name + ' '), element('span', c.state, c.state === 'following' ? 'following' : 'trouble'));
  title.firstChild.append(element('span', '(' + c.id + ')', 'dim'));
  const facts = { 'Head': number(c.head), 'Live lag': c.lagBlocks === null ? '–' : number(c.lagBlocks) + ' blocks', 'Newest data': c.lagSeconds === null ? '–' : duration(c.lagSeconds) + ' old',
    'Finalized': number(c.finalized), 'Processed without holes to': number(c.lastProcessedBlock), 'Verified to': number(c.verifiedBlock), 'History': percent(b.progress),
    'Rate': b.etaSeconds === 0 ? 'done' : b.blocksPerSecond === null ? '–' : number(b.blocksPerSecond) + ' blocks/s', 'History done in': b.etaSeconds === 0 ? 'done' : duration(b.etaSeconds), 'Undecodable logs': number(c.undecodableLogs) };
  for (const [name, value] of Object.entries(facts)) { const item = document.createElement('div'); item.append(element('dt', name), element('dd', value)); list.append(item); }
  article.append(title);
  if (c.reason) article.append(element('p', c.reason, 'trouble'));
  article.append(list);
  const bar = document.createElement('progress'); bar.max = 1; bar.value = b.progress; bar.setAttribute('aria-label', 'History of ' + c.name); article.append(bar);
  article.append(element('h3', sourceCounts(c.sources)), filling(c.sources));
  if (c.endpoints.length) article.append(element('h3', 'RPC endpoints'), endpoints(c.endpoints));
  if (c.explorer) { const link = element('a', 'Explorer'); link.href = c.explorer.url; article.append(link); }
  return article;
}
function sourceCounts(all) {
  const count = state => all.filter(s => s.state === state).length;
  const more = ['filling', 'retired'].filter(count).map(state => ', ' + count(state) + ' ' + state);
  return 'Contracts and events: ' + count('complete') + ' complete' + more.join('');
}
function filling(all) {
  const list = document.createElement('ul');
  for (const s of all.filter(s => s.state === 'filling')) {
    const item = element('li', s.event + ' '), { progress, etaSeconds } = s.backfill;
    item.append(element('span', s.address.slice(0, 6) + '…' + s.address.slice(-4), 'dim'), ' ' + percent(progress) + (etaSeconds === null ? '' : ', done in ' + duration(etaSeconds)));
    list.append(item);
  }
  return list;
}
function endpoints(all) {
  const list = document.createElement('ul');
  for (const e of all) {
    const item = element('li', '');
    item.append(element('span', (e.healthy ? '● ' : '○ ') + e.host + ' ', e.healthy ? 'following' : 'trouble'), element('span', e.healthy ? 'well' : e.reason, 'dim'));
    list.append(item);
  }
  return list;
}
const access = document.getElementById('access');
access.onsubmit = event => { event.preventDefault(); sessionStorage.setItem('apiKey', document.getElementById('key').value.trim()); };
async function refresh() {
  const age = document.getElementById('age');
  try {
    const key = sessionStorage.getItem('apiKey');
    const headers = { 'content-type': 'application/json', ...(key && { authorization: 'Bearer ' + key }) };
    const response = await fetch('/graphql', { method: 'POST', headers, body: JSON.stringify({ query }) });
    access.hidden = response.status !== 401;
    const { data, errors } = await response.json();
    if (errors) throw new Error(errors[0].message);
    const cards = data.chains.map(card);
    document.getElementById('chains').replaceChildren(...(cards.length ? cards : [element('p', 'No chain yet: start a fetcher.', 'dim')]));
    age.textContent = 'as of ' + new Date().toLocaleTimeString();
  } catch (error) { age.textContent = 'no answer: ' + error.message; }
  setTimeout(refresh, 2000);
}
refresh();
</script>
</body>
</html>
`;
