"""The look of the landing page, light and dark; the words and numbers on it are not its matter."""

STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#57606a;--page:#fff;--card:#f6f8fa;--line:#d0d7de;--link:#0550ae;
--active:#1a7f37;--held:#bc4c00;--allocated:#9a6700;--parked:#57606a;--unobserved:#8250df;--unknown:#6e7781;
--loud:#fff8c5;--loud-line:#bf8700;--bad:#ffebe9;--bad-line:#cf222e}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9198a1;--page:#0d1117;--card:#161b22;--line:#30363d;
--link:#79c0ff;--active:#3fb950;--held:#f0883e;--allocated:#d29922;--parked:#8b949e;--unobserved:#bc8cff;
--unknown:#768390;--loud:#3a2f00;--loud-line:#d29922;--bad:#4a1416;--bad-line:#f85149}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem;max-width:76rem;background:var(--page);color:var(--ink);
font:15px/1.45 system-ui,sans-serif}
a{color:var(--link)}
h1{margin:0;font-size:1.5rem}
h1 small,.dim{color:var(--dim);font-weight:400}
h1 small{font-size:1rem}
h2{margin:1.75rem 0 .5rem;font-size:1.1rem}
header p{margin:.25rem 0 0}
.banner{margin:1rem 0 0;padding:.6rem .9rem;border:1px solid var(--loud-line);border-left-width:6px;
border-radius:6px;background:var(--loud)}
.banner.bad{border-color:var(--bad-line);background:var(--bad)}
.tiles{display:flex;flex-wrap:wrap;gap:.75rem;margin:1rem 0 0;padding:0;list-style:none}
.tiles li{flex:1 1 11rem;padding:.6rem .9rem;border:1px solid var(--line);border-radius:6px;background:var(--card)}
.tiles b{display:block;font-size:1.5rem;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}
table{width:100%;min-width:58rem;border-collapse:collapse}
table.narrow{min-width:40rem}
th,td{padding:.45rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{color:var(--dim);font-weight:600;white-space:nowrap}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.name,td.wide{overflow-wrap:anywhere}
td.name{min-width:8rem}
td.wide{min-width:20rem}
td small{display:block;color:var(--dim);overflow-wrap:anywhere}
meter{display:block;width:100%;min-width:5rem;height:.7rem}
svg.states{display:block;width:8rem;height:.7rem;margin:.3rem 0 0 auto;border-radius:3px;background:var(--line)}
.active{fill:var(--active);color:var(--active)}
.held{fill:var(--held);color:var(--held)}
.allocated{fill:var(--allocated);color:var(--allocated)}
.parked{fill:var(--parked);color:var(--parked)}
.unobserved{fill:var(--unobserved);color:var(--unobserved)}
.unknown{fill:var(--unknown);color:var(--unknown)}
.state{font-weight:600}
.down,td small.down{color:var(--bad-line);font-weight:600}
.alert.firing,.severity.critical{color:var(--bad-line);font-weight:600}
.severity.warning{color:var(--held);font-weight:600}
.legend{margin:.5rem 0 0;font-size:.85rem}
.legend b{margin-right:1rem;white-space:nowrap}
pre{margin:.5rem 0;padding:.75rem .9rem;border:1px solid var(--line);border-radius:6px;background:var(--card);
overflow-x:auto}
summary{cursor:pointer;white-space:nowrap}
"""

# For the Content-Security-Policy: the browser applies this style sheet and no other. Computed once, held by a test.
STYLE_SHA256 = "BIBCnwLt4GGcWVuNCZdQdPrr+dHESOZWYkA21oIuUVc="
