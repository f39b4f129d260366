"""The look of the report, light, dark and on paper; colours are those of Okabe and Ito, which all eyes tell apart.

Idle states have a texture beside their colour, so they stand out in grey too.
"""

import base64
import hashlib

STYLE = """
:root{--ink:#1b1f24;--brand:#b04a00;
--dim:#57606a;--page:#fff;--card:#f6f8fa;--line:#d8dee4;--grid:#e3e7eb;--hatch:#fff;
--active:#0072b2;--held:#d55e00;--allocated:#e69f00;--parked:#f0e442;--parked-ink:#8f8600;--unobserved:#cc79a7;
--unknown:#8c959f;--solar:#f0e442;--storage:#56b4e9;--direct:#009e73;--intra:#0072b2;--inter:#cc79a7;
--certificates:#e69f00;--grid-power:#a9b2bb;--location:#d55e00;--market:#1b1f24;
--weekend:#f1f3f6;--night:#c3ccd6;--gap:#c5ccd3;--loud:#fff8c5;--loud-line:#bf8700;
--h0:#edf1f4;--h1:#fde5c4;--h2:#fcc88d;--h3:#f79f55;--h4:#e2711d;--h5:#b3480b;--h6:#7a2a05}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e6edf3;--brand:#f07828;
--dim:#9aa4af;--page:#0d1117;--card:#161b22;
--line:#30363d;--grid:#272e36;--hatch:#0d1117;--active:#2b7bb9;--held:#f07828;--allocated:#e8a820;--parked:#e6dc55;
--parked-ink:#6b6510;--unobserved:#d792b8;--unknown:#7d8792;--intra:#2b7bb9;--grid-power:#59626c;--direct:#1fb58c;
--location:#f07828;--market:#e6edf3;--weekend:#161c24;--night:#3a4552;--gap:#39414a;--loud:#332a00;
--loud-line:#d29922;--h0:#1b222a;--h1:#43290f;--h2:#6e3c0c;--h3:#a0560e;--h4:#d57a1c;--h5:#f5a742;--h6:#ffdf9e}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem clamp(1rem,2.5vw,2rem) 2rem;max-width:74rem;background:var(--page);color:var(--ink);
font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif}
h1{margin:0;font-size:1.75rem;line-height:1.2;letter-spacing:-.01em}
h2{margin:0 0 .25rem;font-size:1.15rem}
h3{margin:1rem 0 .25rem;font-size:1rem}
section{margin:2.25rem 0 0}
p{margin:.25rem 0}
header p{margin:.2rem 0}
.brand{color:var(--brand);font-weight:600;font-size:.85rem;letter-spacing:.02em}
.dim,.sum,footer{color:var(--dim)}
.sum{max-width:62rem;overflow-wrap:anywhere;margin:0 0 .6rem;font-size:.9rem}
.none{color:var(--dim);font-weight:400;font-style:italic}
footer{margin-top:2.5rem;border-top:1px solid var(--line);padding-top:.5rem;font-size:.85rem}
.banner{margin:.75rem 0 0;padding:.5rem .9rem;border:1px solid var(--loud-line);border-left-width:6px;
border-radius:6px;background:var(--loud)}
.tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:.75rem;margin:1.1rem 0 0;padding:0;list-style:none}
.tiles li{padding:.7rem .9rem;border:1px solid var(--line);border-radius:8px;background:var(--card);min-width:0}
.tiles li.two{grid-column:span 2;display:grid;grid-template-columns:1fr 1fr;gap:.9rem}
.tiles li.two div+div{border-left:1px solid var(--line);padding-left:.9rem}
.tiles b{display:block;margin:.1rem 0;font-size:1.55rem;line-height:1.2;font-weight:650;
font-variant-numeric:tabular-nums}
.tiles i{font-style:normal;font-size:.95rem;font-weight:500}
.tiles b small{font-weight:400}
.tiles .none{font-size:1.2rem}
.label{display:block;color:var(--dim);font-size:.85rem}
.tiles small{display:block;color:var(--dim);font-size:.8rem;overflow-wrap:anywhere}
.legend{display:flex;flex-wrap:wrap;gap:.15rem 1.1rem;margin:0 0 .25rem;padding:0;list-style:none;font-size:.85rem}
.key{margin-right:.4rem;vertical-align:-1px;border-radius:2px;overflow:hidden}
.chart{display:block;overflow:visible;font-size:12px;fill:var(--ink)}
.chart text{fill:var(--dim);unicode-bidi:isolate}
.panel{overflow:visible}
.tight{font-size:11px}
.chart .name{fill:var(--ink);font-size:13px}
.chart .value{fill:var(--ink);font-size:13px;font-variant-numeric:tabular-nums}
.chart .dim{fill:var(--dim);font-size:12px}
.grid,.grid line{stroke:var(--ink);stroke-opacity:.1;pointer-events:none}
.tick{stroke:var(--dim)}
.part{stroke:var(--page);stroke-width:1;pointer-events:none}
.tips,.tip{fill:transparent;shape-rendering:crispEdges}
.tips :hover,.tip:hover{fill:var(--ink);fill-opacity:.12}
.panel path{shape-rendering:crispEdges}
.active{fill:var(--active)}
.held{fill:url(#t-held)}
.allocated{fill:url(#t-allocated)}
.parked{fill:url(#t-parked)}
.unobserved{fill:var(--unobserved)}
.unknown{fill:var(--unknown)}
.idle{fill:var(--held)}
.idle.part,.nobody.part{stroke:none}
.idle.part{fill:url(#t-held)}
.nobody,.nobody.part{fill:var(--unknown)}
.track{fill:var(--grid)}
.top{fill:none;stroke:var(--ink);stroke-opacity:.45;vector-effect:non-scaling-stroke}
.weekend{fill:var(--weekend)}
.weekend.strong{fill:var(--dim)}
.night{fill:var(--night)}
.key .weekend,.key .gap,.key .h0{stroke:var(--line)}
.key .weekend.strong{stroke:none}
.gap{fill:url(#t-gap)}
.partly{fill:var(--unknown)}
.from-onsite{fill:var(--solar)}
.from-storage{fill:var(--storage)}
.from-direct_line{fill:var(--direct)}
.from-contract_intra{fill:var(--intra)}
.from-contract_inter{fill:var(--inter)}
.from-certificates{fill:url(#t-certificates)}
.from-grid{fill:var(--grid-power)}
.line{fill:none;stroke-width:1.75;vector-effect:non-scaling-stroke}
.line.location{stroke:var(--location)}
.line.market{stroke:var(--market);stroke-dasharray:4 2}
.under{fill:var(--location);fill-opacity:.12}
.h0{fill:var(--h0)}.h1{fill:var(--h1)}.h2{fill:var(--h2)}.h3{fill:var(--h3)}.h4{fill:var(--h4)}.h5{fill:var(--h5)}
.h6{fill:var(--h6)}
.textures{position:absolute}
.textures path{fill:none;stroke:var(--hatch);stroke-width:1.5}
.textures .on-parked{stroke:var(--parked-ink)}
.textures .on-gap{stroke:var(--gap);stroke-width:1}
.textures .of-held{fill:var(--held)}
.textures .of-allocated{fill:var(--allocated)}
.textures .of-parked{fill:var(--parked)}
.textures .of-certificates{fill:var(--certificates)}
.scroll{overflow-x:auto}
table{width:100%;border-collapse:collapse;font-size:.9rem}
th,td{padding:.4rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th:first-child,td:first-child{padding-left:0;min-width:9.5rem;overflow-wrap:anywhere}
th:last-child,td:last-child{padding-right:0}
th{color:var(--dim);font-weight:600;vertical-align:bottom}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
td.n{white-space:nowrap}
td small{display:block;color:var(--dim);overflow-wrap:anywhere}
tfoot td{border-bottom:0;font-weight:600}
#methods ul{margin:.25rem 0;padding-left:1.2rem}
@media(max-width:880px){.tiles{grid-template-columns:repeat(2,1fr)}.tiles b{font-size:1.35rem}}
@media print{body{max-width:none;padding:0;font-size:11px}svg,.banner,.tiles li{print-color-adjust:exact;
-webkit-print-color-adjust:exact}.figure,tr,.tiles li{break-inside:avoid}h2{break-after:avoid}
.scroll{overflow:visible}@page{margin:14mm}}
"""

PATTERNS = """<svg class="textures" width="0" height="0" aria-hidden="true"><defs>
<pattern id="t-held" width="7" height="7" patternUnits="userSpaceOnUse">
<rect class="of-held" width="7" height="7"/><path d="M-2 2 2-2M-1 8 8-1M5 9 9 5"/></pattern>
<pattern id="t-allocated" width="7" height="7" patternUnits="userSpaceOnUse">
<rect class="of-allocated" width="7" height="7"/><path d="M-2 5 2 9M-1-1 8 8M5-2 9 2"/></pattern>
<pattern id="t-parked" width="6" height="6" patternUnits="userSpaceOnUse">
<rect class="of-parked" width="6" height="6"/><path class="on-parked" d="M0 3h6"/></pattern>
<pattern id="t-certificates" width="6" height="6" patternUnits="userSpaceOnUse">
<rect class="of-certificates" width="6" height="6"/><path d="M3 0v6"/></pattern>
<pattern id="t-gap" width="6" height="6" patternUnits="userSpaceOnUse">
<path class="on-gap" d="M-1 1 1-1M0 6 6 0M5 7 7 5"/></pattern>
</defs></svg>
"""


def style_hash() -> str:
    """Give the SHA-256 of the style sheet for a Content-Security-Policy: a browser applies it and no other."""
    return base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
