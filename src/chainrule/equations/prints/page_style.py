"""The style of the page of an explanation: all of it below one class, so that it may stand in a notebook."""

SCOPE = "chainrule-explanation"

DAY = """\
  --ink: #1d1c1a; --faint: #69655c; --paper: #fffdf9; --rule: #e2dccf; --mark: #f3eddf;
  --link: #1d4f91; --good: #2b6b47; --bad: #b3261e; --other: #805b00;
"""
NIGHT = """\
    --ink: #e9e5db; --faint: #a39d90; --paper: #191a1c; --rule: #37363a; --mark: #26272b;
    --link: #9cc3f5; --good: #86cfa5; --bad: #ff9a90; --other: #e3bb62;
"""
"""The colors of every page, by day and by night."""

STYLE = """
.SCOPE {
DAY  color-scheme: light dark; box-sizing: border-box; max-width: 68rem; margin: 0 auto; padding: 2rem 1.5rem 3rem;
  background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.6 "STIX Two Text", "Latin Modern Roman", "Palatino Linotype", Palatino, Georgia, serif;
}
@media (prefers-color-scheme: dark) {
  .SCOPE {
NIGHT  }
}
.SCOPE h1 { margin: 0 0 .5rem; font-size: 1.9rem; font-weight: 600; line-height: 1.25; color: inherit; }
.SCOPE h2 { margin: 2.75rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--rule);
  font-size: 1.3rem; font-weight: 600; color: inherit; }
.SCOPE .verdict { margin: 0 0 1rem; font-size: 1.125rem; }
.SCOPE .notes { margin: 0; padding-left: 1.2rem; color: var(--faint); }
.SCOPE .notes li { margin: .15rem 0; }
.SCOPE math { font-family: "STIX Two Math", "Latin Modern Math", "Cambria Math", math; font-size: 1.08em; }
.SCOPE math math { font-size: 1em; math-style: inherit; }
.SCOPE .cases mtd { text-align: left; padding: .12em .5em; }
.SCOPE mi.symbol { text-transform: none; line-height: 1; }
.SCOPE mtext.opaque { font-style: italic; }
.SCOPE a { color: inherit; text-decoration: none; }
.SCOPE a:hover, .SCOPE a:focus-visible { color: var(--link); background: var(--mark); border-radius: .15em; }

.SCOPE .lines { display: grid; margin: .25rem 0 1rem;
  grid-template-columns: minmax(7rem, max-content) minmax(0, 1fr) minmax(6rem, max-content) max-content 3rem; }
.SCOPE .line { display: grid; grid-column: 1 / -1; grid-template-columns: subgrid; align-items: baseline;
  padding: .45rem 0; break-inside: avoid; scroll-margin: 1rem; }
.SCOPE .formula { display: contents; }
.SCOPE .left { text-align: right; white-space: nowrap; }
.SCOPE .right { padding: .2em 1rem .2em calc(.35em + 2em); text-indent: -2em; overflow: auto hidden; }
.SCOPE .right math { text-indent: 0; }
.SCOPE .term { white-space: nowrap; }
.SCOPE .shape { color: var(--faint); padding-right: 1.25rem; }
.SCOPE .status { min-width: 1.2rem; }
.SCOPE .number { text-align: right; color: var(--faint); }
.SCOPE .words { grid-column: 2 / 4; padding: 0 1rem 0 .35em; color: var(--faint);
  font-size: .92rem; line-height: 1.45; }
.SCOPE .place { margin-right: .5em; color: var(--other); }
.SCOPE .verified { color: var(--good); }
.SCOPE .failed { color: var(--bad); font-weight: 600; }
.SCOPE .opaque { color: var(--other); }
.SCOPE :target { background: var(--mark); }
.SCOPE :target > td { background: var(--mark); }
.SCOPE summary { cursor: pointer; padding: .2rem 0; color: var(--faint); font-size: .95rem; }
.SCOPE summary b { color: var(--ink); font-weight: 600; }

.SCOPE table { width: 100%; margin: 0; border-collapse: collapse; font-size: 1rem; text-align: left; color: inherit; }
.SCOPE th { padding: .3rem 2.5rem .3rem 0; border-bottom: 1px solid var(--rule); font-weight: 600; text-align: left;
  font-size: .92rem; color: var(--faint); }
.SCOPE td { padding: .4rem 2.5rem .4rem 0; border: 0; vertical-align: baseline; text-align: left;
  background: var(--paper); }
.SCOPE tr { scroll-margin: 1rem; break-inside: avoid; }
.SCOPE td, .SCOPE th { min-width: 2rem; }
.SCOPE td.shape { white-space: nowrap; }
.SCOPE td:last-child { width: 100%; }
.SCOPE pre { margin: .2rem 0 0; padding: 0; background: none; color: var(--faint); white-space: pre-wrap;
  font: .82rem/1.4 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }

.SCOPE a:is(:hover, :focus-visible)::after {
  position: fixed; inset: auto 1rem 1rem; z-index: 9; box-sizing: border-box; max-width: 38rem; margin: 0 auto;
  padding: .5rem .8rem; border: 1px solid var(--rule); border-radius: .4rem;
  background: var(--mark); color: var(--ink); box-shadow: 0 .3rem 1.2rem rgb(0 0 0 / .18);
  font: .86rem/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre-wrap;
  text-align: left; text-indent: 0; pointer-events: none;
}
@supports (position-area: block-end) {
  .SCOPE a:is(:hover, :focus-visible) { anchor-name: --chainrule-symbol; }
  .SCOPE a:is(:hover, :focus-visible)::after {
    position-anchor: --chainrule-symbol; position-area: block-end span-inline-end; inset: auto; margin: .3rem 0;
    position-try-fallbacks: flip-block, flip-inline, flip-block flip-inline;
    width: max-content; max-width: min(38rem, 90vw);
  }
}

@media (max-width: 46rem) {
  .SCOPE { padding: 1.25rem 1rem 2rem; font-size: 1rem; }
  .SCOPE h1 { font-size: 1.5rem; }
  .SCOPE .lines { grid-template-columns: max-content minmax(0, 1fr) max-content max-content; }
  .SCOPE .line { padding: .55rem 0; column-gap: .6rem; }
  .SCOPE .formula { display: block; grid-column: 1 / 3; padding: .2em 0 .2em 1.5em; text-indent: -1.5em;
    overflow: auto hidden; }
  .SCOPE .left, .SCOPE .right { display: inline; padding: 0; }
  .SCOPE .left math, .SCOPE .right math { text-indent: 0; }
  .SCOPE .term { white-space: normal; }
  .SCOPE .status { grid-area: 1 / 3; }
  .SCOPE .number { grid-area: 1 / 4; }
  .SCOPE .line .shape { padding-right: 0; font-size: .92rem; }
  .SCOPE .words { grid-column: 2 / 5; padding: 0; }
  .SCOPE td, .SCOPE th { padding-right: .7rem; }
}

@media print {
  .SCOPE { --ink: #000; --faint: #444; --paper: #fff; --rule: #bbb; --mark: #fff;
    --good: #000; --bad: #000; --other: #000; max-width: none; padding: 0; font-size: 10.5pt; }
  .SCOPE h2 { break-after: avoid; }
  .SCOPE .right, .SCOPE .formula { overflow: visible; }
  .SCOPE a::after { display: none; }
  .SCOPE details::details-content { content-visibility: visible; display: block; height: auto; }
}
"""
STYLE = STYLE.replace("SCOPE", SCOPE).replace("DAY", DAY).replace("NIGHT", NIGHT)
