"""The style of a report, below one class, so that it may stand in a notebook; colors are those of explanations."""

from chainrule.equations.prints.page_style import DAY, NIGHT
from chainrule.equations.prints.page_style import SCOPE as EQUATIONS

SCOPE = "chainrule-report"

STYLE = """
.SCOPE {
DAY  --c0: #69655c; --c1: #1d5fa8; --c2: #c25e00; --c3: #2b7a50; --c4: #9a3a86; --c5: #6d6a00; --c6: #b3261e;
  --c7: #3d6f7d; --c8: #6a4fb3;
  color-scheme: light dark; box-sizing: border-box; max-width: 72rem; margin: 0 auto; padding: 2rem 1.5rem 3rem;
  background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.6 "STIX Two Text", "Latin Modern Roman", "Palatino Linotype", Palatino, Georgia, serif;
}
@media (prefers-color-scheme: dark) {
  .SCOPE {
NIGHT    --c0: #a39d90; --c1: #7db4f0; --c2: #f0a050; --c3: #7fcfa2; --c4: #e096cf; --c5: #cfc95c; --c6: #ff9a90;
    --c7: #8cc7d6; --c8: #b9a5f5;
  }
}
.SCOPE h1 { margin: 0 0 .5rem; font-size: 1.9rem; font-weight: 600; line-height: 1.25; color: inherit; }
.SCOPE h2 { margin: 2.75rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--rule);
  font-size: 1.3rem; font-weight: 600; color: inherit; }
.SCOPE h3 { margin: 0 0 .25rem; font-size: 1rem; font-weight: 600; color: inherit; }
.SCOPE p { max-width: 46rem; margin: 0 0 .9rem; }
.SCOPE .verdict { max-width: 52rem; font-size: 1.125rem; }
.SCOPE strong.good { color: var(--good); }
.SCOPE strong.bad { color: var(--bad); }
.SCOPE strong.other { color: var(--other); }
.SCOPE a { color: var(--link); text-decoration: none; }
.SCOPE a:hover, .SCOPE a:focus-visible { text-decoration: underline; }
.SCOPE nav ul { display: flex; flex-wrap: wrap; gap: .15rem 1.1rem; margin: 1.2rem 0 0; padding: 0; list-style: none;
  font-size: .95rem; }
.SCOPE .reasons li { margin: .25rem 0; }
.SCOPE .reasons span { color: var(--faint); font-size: .88rem; }
.SCOPE section > ul { max-width: 52rem; padding-left: 1.2rem; }
.SCOPE section { scroll-margin-top: 1rem; }

.SCOPE .figures { display: grid; gap: 1.75rem 1.5rem; margin: 1rem 0 1.5rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 19.5rem), 1fr)); }
.SCOPE figure { margin: 0; min-width: 0; }
.SCOPE figure > svg { display: block; width: 100%; max-width: 26rem; height: auto; overflow: visible; }
.SCOPE figcaption { max-width: 26rem; color: var(--faint); font-size: .88rem; line-height: 1.45; }
.SCOPE .keys { display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: .15rem 0 .3rem; padding: 0; list-style: none;
  font-size: .88rem; max-width: 26rem; }
.SCOPE .key { display: inline-block; width: 1.1rem; margin-right: .4rem; vertical-align: middle;
  border-top: 2px solid var(--color); }
.SCOPE .key.dashed { border-top-style: dashed; }
.SCOPE .key.points { width: .55rem; height: .55rem; border: 2px solid var(--color); border-radius: 50%;
  background: var(--color); }
.SCOPE .key.points.hollow { background: none; }
.SCOPE .key.bars, .SCOPE .key.band { height: .6rem; border: 0; background: var(--color); opacity: .7; }
COLORS
.SCOPE svg text { fill: var(--faint); font: 11px ui-sans-serif, "DejaVu Sans", Helvetica, Arial, sans-serif; }
.SCOPE svg .name { fill: var(--ink); }
.SCOPE svg .grid { stroke: var(--rule); fill: none; stroke-width: 1; }
.SCOPE svg .axis { stroke: var(--faint); fill: none; stroke-width: 1; }
.SCOPE svg .line { stroke: var(--color); fill: none; stroke-width: 2; stroke-linejoin: round; }
.SCOPE svg .line.thin { stroke-width: 1.3; }
.SCOPE svg .line.dashed { stroke-width: 1.3; stroke-dasharray: 5 4; }
.SCOPE svg .band { fill: var(--color); opacity: .18; }
.SCOPE svg .bar { fill: var(--color); opacity: .8; }
.SCOPE svg .dot { fill: var(--color); }
.SCOPE svg .hollow { fill: var(--paper); stroke: var(--color); stroke-width: 1.6; }
.SCOPE svg .cloud { fill: var(--color); opacity: .45; }
.SCOPE .spark, .SCOPE .gauge { display: block; }

.SCOPE .wide { overflow-x: auto; margin: 0 0 1.25rem; }
.SCOPE .figures .wide { margin: 0; }
.SCOPE .wide > table { width: max-content; }
.SCOPE .wide > table.wraps { width: auto; }
.SCOPE .wraps tbody th { white-space: nowrap; }
.SCOPE table { border-collapse: collapse; margin: 0; font-size: .95rem; line-height: 1.45; color: inherit; }
.SCOPE caption { padding: 0 0 .3rem; text-align: left; color: var(--faint); font-size: .88rem; }
.SCOPE th, .SCOPE td { padding: .32rem 1.4rem .32rem 0; border: 0; text-align: left; vertical-align: baseline;
  font-weight: 400; background: none; }
.SCOPE tbody tr { border-top: 1px solid var(--rule); background: none; }
.SCOPE thead th { color: var(--faint); font-size: .88rem; vertical-align: bottom; }
.SCOPE .number { text-align: right; font-variant-numeric: tabular-nums lining-nums; white-space: nowrap; }
.SCOPE thead .number { white-space: normal; }
.SCOPE td svg { vertical-align: middle; }
.SCOPE code, .SCOPE pre { font: .86rem/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  color: inherit; background: none; overflow-wrap: anywhere; }
.SCOPE pre { max-width: 100%; margin: 0 0 1rem; padding: .6rem .8rem; overflow-x: auto; border-radius: .4rem;
  background: var(--mark); white-space: pre-wrap; }
.SCOPE summary { cursor: pointer; padding: .2rem 0 .5rem; color: var(--link); }

.SCOPE .confusion td, .SCOPE .confusion thead th:not(:first-child) { padding: .1rem; text-align: center;
  min-width: 1.9rem; }
.SCOPE .confusion tbody tr { border: 0; }
.SCOPE .confusion tbody th { padding-right: .7rem; white-space: nowrap; text-align: right; }
.SCOPE .confusion td span { display: block; padding: .28rem .3rem; border-radius: .2rem;
  background: color-mix(in srgb, var(--color) calc(8% + 42% * var(--share)), transparent);
  font-variant-numeric: tabular-nums lining-nums; }
.SCOPE .confusion .right { --color: var(--c1); }
.SCOPE .confusion .wrong { --color: var(--c6); }
.SCOPE .confusion .none { background: none; color: var(--faint); }

.SCOPE .EQUATIONS { max-width: none; padding: 0; font-size: 1rem; }
.SCOPE .EQUATIONS h1 { font-size: 1.15rem; }
.SCOPE .EQUATIONS h2 { margin-top: 1.5rem; border: 0; font-size: 1.05rem; }
.SCOPE .EQUATIONS p { max-width: none; }
.SCOPE .EQUATIONS tbody tr { border: 0; }

@media (max-width: 46rem) {
  .SCOPE { padding: 1.25rem 1rem 2rem; font-size: 1rem; }
  .SCOPE h1 { font-size: 1.5rem; }
  .SCOPE .verdict { font-size: 1.05rem; }
  .SCOPE th, .SCOPE td { padding-right: .9rem; }
  .SCOPE .wraps tbody th { white-space: normal; }
  .SCOPE .wraps td { overflow-wrap: anywhere; }
}
@media print {
  .SCOPE { --ink: #000; --faint: #444; --paper: #fff; --rule: #bbb; max-width: none; padding: 0; font-size: 10pt; }
  .SCOPE figure, .SCOPE tr { break-inside: avoid; }
  .SCOPE h2 { break-after: avoid; }
}
""".replace("COLORS", "\n".join(f".SCOPE .c{k} {{ --color: var(--c{k}); }}" for k in range(9)))
STYLE = STYLE.replace("SCOPE", SCOPE).replace("EQUATIONS", EQUATIONS).replace("DAY", DAY).replace("NIGHT", NIGHT)

GROUND = """
html { background: #fffdf9; }
@media (prefers-color-scheme: dark) { html { background: #191a1c; } }
@media print { html { background: #fff; } }
body { margin: 0; }
"""
