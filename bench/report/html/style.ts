/** The page's style. Light and dark follow the reader's system; nothing is loaded from elsewhere. */

/** Of each contestant: its hue on light and on dark paper. hobble's own modes are one family. */
const colours: Record<string, readonly [string, string]> = {
  hobble: ["#00796b", "#3fd6c0"],
  "hobble-tight": ["#0aa08f", "#7be8d8"],
  "hobble-economy": ["#4c8c83", "#9ccfc6"],
  "hobble-limit": ["#00695c", "#5fe0cc"],
  "hobble-pool": ["#26867a", "#86dccf"],
  "hobble-freeze": ["#35706a", "#a9e6dc"],
  asyncio: ["#c4511a", "#ff9d6b"],
  gevent: ["#8e44ad", "#cf9bea"],
  threads: ["#c2274b", "#ff7f9d"],
  batched: ["#8a6d00", "#e2c14b"],
  "node-timers": ["#3f7d20", "#9bd67a"],
  cpulimit: ["#a8540f", "#f0b27a"],
  shell: ["#6b6b6b", "#b8b8b8"],
  "freezer-v1": ["#2c6db5", "#8fc0f5"],
  "freezer-v2": ["#1d58a3", "#6fadf0"],
  "quota-v1": ["#4b4fa8", "#a9adf5"],
  "quota-v2": ["#3d3f96", "#9599ee"],
  "together-v1": ["#5b4fa8", "#b5a9f5"],
  "together-v2": ["#4d3f96", "#a599ee"],
  "no-targets": ["#555555", "#c8c8c8"],
  "ps-list": ["#a8540f", "#f0b27a"],
  "ps-eo": ["#8a6d00", "#e2c14b"],
  "-proc-in-Node": ["#3f7d20", "#9bd67a"],
  "native-scan": ["#00796b", "#3fd6c0"],
  "native-identify": ["#4c8c83", "#9ccfc6"],
  nothing: ["#8a8a8a", "#8f8f8f"],
  "bare-loop": ["#222222", "#eeeeee"],
};

const rules = (theme: 0 | 1) =>
  Object.entries(colours)
    .map(([id, both]) => `.c-${id}{--c:${both[theme]}}`)
    .join("");

export const style = `
:root{color-scheme:light dark;--paper:#fbfaf7;--ink:#1d2421;--soft:#5d6763;--rule:#dfe3de;--panel:#ffffff;--good:#00796b;--bad:#b3261e;--warn:#8a6100}
${rules(0)}
@media (prefers-color-scheme:dark){:root{--paper:#121615;--ink:#e7ece9;--soft:#98a5a0;--rule:#2b3331;--panel:#191f1d;--good:#3fd6c0;--bad:#ff8a80;--warn:#e2c14b}
${rules(1)}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:808px;margin:0 auto;padding:40px 24px 80px}
h1{font-size:2rem;line-height:1.15;letter-spacing:-.02em;margin:0 0 6px}
h2{font-size:1.35rem;letter-spacing:-.01em;margin:64px 0 6px;line-height:1.25}
h3{font-size:1rem;margin:34px 0 2px;font-weight:650}
p{margin:.4em 0 1em}
.host,.lede,caption,.note{color:var(--soft)}
.host{font-size:.9rem;margin-bottom:20px}
.verdict{border-left:4px solid var(--good);padding:8px 14px;background:var(--panel);margin:18px 0 26px;border-radius:0 6px 6px 0}
.verdict.no{border-color:var(--bad)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(168px,1fr));gap:12px;margin:20px 0}
.tile{background:var(--panel);border:1px solid var(--rule);border-radius:10px;padding:14px 16px}
.tile b{display:block;font-size:1.6rem;line-height:1.15;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.tile span{display:block;font-size:.82rem;color:var(--soft);line-height:1.35;margin-top:4px}
.scroll{overflow-x:auto;margin:10px 0 18px}
table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums;width:100%}
th{text-align:right;font-weight:600;color:var(--soft);padding:6px 10px;border-bottom:1px solid var(--rule);vertical-align:bottom}
td{text-align:right;padding:6px 10px;border-bottom:1px solid var(--rule);white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0}
td.text{text-align:left;white-space:normal;min-width:13em}
td small{display:block;color:var(--soft);font-size:.78em}
td.pass{color:var(--good);text-align:center}td.fail{color:var(--bad);font-weight:700;text-align:center}td.cannot{color:var(--soft);text-align:center}
table.matrix th{text-align:center;font-size:.78rem;line-height:1.2;padding:6px 4px;min-width:4.6em}
table.matrix th:first-child{text-align:left}
details{margin:4px 0 14px}
summary{cursor:pointer;color:var(--soft);font-size:.9rem}
code{font:.92em ui-monospace,"DejaVu Sans Mono",Menlo,monospace}
ul{padding-left:1.2em}li{margin:.3em 0}
svg{display:block;width:100%;height:auto;overflow:visible;font-family:inherit}
.plot{margin:10px 0 4px}.narrow{display:none}
.tick{font-size:11.5px;fill:var(--soft)}
.name{font-size:14px;font-weight:650;fill:var(--c,var(--ink))}.name.small{font-size:12.5px}
.figure{font-size:12px;fill:var(--soft);font-variant-numeric:tabular-nums;white-space:pre}
.grid{stroke:var(--rule);stroke-width:1}.base{stroke:var(--rule);stroke-width:1.2}
.hill{fill:var(--c);fill-opacity:.28;stroke:var(--c);stroke-width:1.4}
.dot{fill:var(--c,var(--ink));stroke:var(--paper);stroke-width:1.2}
.mark{stroke:var(--c);stroke-width:2.4}
.curve{fill:none;stroke:var(--c);stroke-width:2}.floor .curve{stroke-dasharray:5 4}
.leader{fill:none;stroke:var(--c);stroke-width:1;opacity:.5}
.interval{stroke:var(--c);stroke-width:4;stroke-linecap:round;opacity:.38}
.stem{stroke:var(--rule);stroke-width:1.5}
.box{fill:var(--c)}
footer{margin-top:70px;color:var(--soft);font-size:.86rem;border-top:1px solid var(--rule);padding-top:14px}
@media (max-width:620px){main{padding:24px 16px 60px}h1{font-size:1.6rem}h2{margin-top:48px}.wide{display:none}.narrow{display:block}.tiles{grid-template-columns:1fr 1fr}.tile b{font-size:1.3rem}.tile{padding:12px}table.stack tr{display:block;padding:8px 0;border-bottom:1px solid var(--rule)}table.stack tr:first-child{display:none}table.stack td{display:block;text-align:left;border:0;padding:1px 0;white-space:normal}table.stack small{display:inline;margin-left:.5em}}
@media print{body{background:#fff}details{display:block}}
`;
