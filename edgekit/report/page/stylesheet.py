"""Stylesheet of a page: light, dark, forced colours, print, and widths from a telephone's on."""

STYLESHEET = """
:root {
  color-scheme: light dark;
  --paper: #fff; --card: #f6f8fa; --ink: #1b1f24; --quiet: #57606a; --line: #d0d7de; --soft: #e7ebef;
  --good: #116329; --bad: #b42318; --open: #7d4e00; --off: #57606a; --ours: #0b57a4; --theirs: #6e7781;
  --shade: 11 87 164; --error: 180 35 24;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0d1117; --card: #161b22; --ink: #e6edf3; --quiet: #9da7b3; --line: #3d444d; --soft: #262c36;
    --good: #56d364; --bad: #ff8a80; --open: #e3b341; --off: #9da7b3; --ours: #79c0ff; --theirs: #9da7b3;
    --shade: 121 192 255; --error: 255 138 128;
  }
}
@media (forced-colors: active) {
  :root {
    --paper: Canvas; --card: Canvas; --ink: CanvasText; --quiet: CanvasText; --line: CanvasText; --soft: Canvas;
    --good: CanvasText; --bad: CanvasText; --open: CanvasText; --off: CanvasText; --ours: LinkText;
    --theirs: CanvasText;
  }
  svg { forced-color-adjust: none }
}
* { box-sizing: border-box }
html { scroll-padding-top: 1rem; text-size-adjust: 100% }
body {
  margin: 0 auto; padding: 1.5rem clamp(1rem, 4vw, 2.5rem) 4rem; max-width: 68rem;
  background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, "Segoe UI", Roboto, sans-serif;
}
h1, h2, h3 { line-height: 1.25; margin: 0; text-wrap: balance }
h1 { font-size: clamp(1.35rem, 1.1rem + 1.4vw, 2rem) }
h2 { font-size: 1.2rem } h3 { font-size: 1.1rem }
p, ul, ol, dl, figure { margin: .6rem 0 }
a { color: var(--ours) }
code, pre { font: .9em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
p, li, dd, code, .facts td, .facts th { overflow-wrap: anywhere } td, th { overflow-wrap: break-word }
article + article { margin-top: 4rem; padding-top: 3rem; border-top: 2px solid var(--line) }
.brand { color: var(--quiet); font-size: .9rem; margin: 0 0 1rem }
.verdict { border-left: .5rem solid var(--tone); background: var(--card); padding: 1.2rem 1.4rem; border-radius: .4rem }
.verdict.passed { --tone: var(--good) } .verdict.failed { --tone: var(--bad) }
  .verdict.undecided { --tone: var(--open) }
.verdict p { margin: .5rem 0 0 }
.verdict .badge { font-size: 1rem; letter-spacing: .04em; margin-bottom: .5rem }
.subject { color: var(--quiet); font-size: .9rem }
.badge { display: inline-flex; align-items: center; gap: .4em; font-weight: 650; white-space: nowrap;
  color: var(--tone) }
.badge.passed { --tone: var(--good) } .badge.failed { --tone: var(--bad) }
.badge.undecided { --tone: var(--open) } .badge.not-measurable { --tone: var(--off) }
.icon { width: 1.15em; height: 1.15em; flex: none; fill: none; stroke: var(--paper); stroke-width: 2.2;
  stroke-linecap: round; background: var(--tone); border-radius: 50%; padding: .1em }
.next { margin-top: 1.4rem; border: 1px solid var(--line); border-radius: .4rem; padding: 1rem 1.4rem }
.next ol { padding-left: 1.2rem; margin-bottom: 0 }
pre span { white-space: nowrap }
pre { margin: .4rem 0; padding: .6rem .8rem; white-space: pre-wrap; overflow-x: auto; background: var(--card);
  border: 1px solid var(--line);
  border-radius: .3rem }
.glossary { margin: 1rem 0 0; font-size: .9rem; color: var(--quiet); display: grid; gap: .15rem 2rem }
.glossary dt { display: inline; font-weight: 650 } .glossary dt::after { content: ":" }
.glossary dd { display: inline; margin: 0 0 0 .3em }
.notices { list-style: none; padding: 0; margin-top: 1.2rem }
.notices li { border-left: .25rem solid var(--line); padding: .1rem 0 .1rem .8rem; margin: .5rem 0; font-size: .95rem }
.notices .invalid { border-color: var(--open); font-weight: 600 }
.contents { margin: 1.6rem 0 0; font-size: .9rem }
.contents ul { list-style: none; padding: 0; margin: 0; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem }
.part { margin-top: 2.2rem } .part:has(> details:first-child) { margin-top: 1rem }
.part > details > summary, .more > summary { cursor: pointer }
.part > details > summary > :is(h2, h3) { display: inline }
.more { margin-top: .6rem; font-size: .95rem }
.notes { color: var(--quiet); font-size: .92rem; padding-left: 1.2rem }
.wide { overflow-x: auto; margin: .6rem 0 }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums }
caption { text-align: left; color: var(--quiet); padding-bottom: .5rem }
th, td { text-align: left; vertical-align: top; padding: .32rem 1.1rem .32rem 0; border-bottom: 1px solid var(--soft) }
th[scope=col] { color: var(--quiet); font-weight: 600; border-color: var(--line) }
th[scope=row] { font-weight: 500 }
td, th { max-width: 34rem } .long th[scope=row] { min-width: 10rem }
.facts { width: 100% } .facts th[scope=row] { width: 38% }
.gates { list-style: none; padding: 0; margin: .4rem 0 }
.gates > li { display: grid; gap: .1rem 1.2rem; padding: .7rem 0; border-bottom: 1px solid var(--soft);
  grid-template-columns: 1fr; align-items: center }
.gates p { margin: 0 }
.gate code { display: block; color: var(--quiet); font-size: .8rem } .gate { line-height: 1.35 }
.limit span { color: var(--quiet) }
.limit span::before { content: "limit: " }
.none { color: var(--quiet); font-size: .88rem }
.ends { display: flex; justify-content: space-between; color: var(--quiet); font-size: .78rem; margin: 0;
  line-height: 1.3 }
@media (min-width: 60rem) {
  .gates > li { grid-template-columns: 10.5rem minmax(13rem, 1fr) minmax(12rem, 1.1fr) 12.5rem }
}
@media (min-width: 48rem) {
  .glossary { grid-template-columns: 1fr 1fr }
  .two { display: grid; grid-template-columns: 1fr 1fr; gap: 0 3rem } .two > .part { min-width: 0 }
  .two > .part:only-child { grid-column: 1 / -1; max-width: 40rem }
}
svg { overflow: visible }
.chart { display: block; width: 100%; max-width: 30rem; height: auto; font-size: 12px; fill: currentColor;
  margin: .6rem 0 }
.chart .tick { font-size: 10.5px; fill: var(--quiet) }
.chart .frame { fill: none; stroke: var(--line) }
.row { display: block; width: 100%; height: 22px }
.track { fill: var(--soft) } .allowed { fill: var(--line) }
.value { fill: var(--off) } .value.passed { fill: var(--good) } .value.failed { fill: var(--bad) }
.value.undecided { fill: var(--open) }
.mark { fill: var(--paper); stroke: var(--off); stroke-width: 2.5 } .mark.passed { stroke: var(--good) }
.mark.failed { stroke: var(--bad); fill: var(--bad) } .mark.undecided { stroke: var(--open) }
line.limit { stroke: var(--ink); stroke-width: 2 }
.whisker { stroke: var(--ink); stroke-width: 1.5 } .median { stroke: var(--ink); stroke-dasharray: 3 3 }
.candidate { fill: var(--ours); stroke: var(--ours) } .reference { fill: url(#hatch); stroke: var(--theirs) }
.fallback, .blamed { fill: url(#cross); stroke: var(--bad) }
.ground { fill: var(--soft) } .stripe { fill: var(--theirs) }
.bad-ground { fill: var(--paper) } .bad-stripe { stroke: var(--bad); stroke-width: 1.6; fill: none }
.patterns { position: absolute }
.group { color: var(--quiet); font-size: .9rem; margin: .8rem 0 .2rem }
.rows { display: grid; gap: .15rem; container-type: inline-size } .rows .line { display: grid; gap: 0 .8rem;
  align-items: center;
  font-size: .9rem; grid-template-columns: 1fr auto }
.line > :is(svg, .ends) { grid-row: 2; grid-column: 1 / -1 }
@container (min-width: 24rem) {
  .rows .line { grid-template-columns: minmax(5rem, 9rem) minmax(0, 1fr) minmax(4.5rem, 9.5rem) }
  .line > :is(svg, .ends) { grid-row: auto; grid-column: auto }
}
.rows b { font-weight: 600; font-variant-numeric: tabular-nums }
figcaption { color: var(--quiet); font-size: .9rem; margin-bottom: .4rem }
.limit b { display: block }
.matrix td, .matrix th { min-width: 2.6rem; white-space: nowrap; padding: .3rem .45rem; text-align: center;
  border: 1px solid var(--soft) }
.matrix th[scope=row] { text-align: right }
.matrix small { display: block; line-height: 1; font-size: .75rem }
.zero { color: var(--quiet) }
.right { background: rgb(var(--shade) / calc(var(--s, 0) * .045)) } .right:is(.s9, .s8) { font-weight: 600 }
.wrong { background: rgb(var(--error) / calc(var(--s, 0) * .06)) }
.s0 { --s: 0 } .s1 { --s: 1.5 } .s2 { --s: 2.3 } .s3 { --s: 3 } .s4 { --s: 4 } .s5 { --s: 5 } .s6 { --s: 6 }
.s7 { --s: 7 } .s8 { --s: 8 } .s9 { --s: 9 }
.flips { list-style: none; padding: 0; display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)) }
.flips li { border: 1px solid var(--line); border-radius: .3rem; padding: .7rem; font-size: .9rem }
.flips img { display: block; width: 100%; max-height: 9rem; object-fit: contain; image-rendering: pixelated;
  background: var(--soft); margin-bottom: .5rem }
.flips dl { margin: .3rem 0 0; display: grid; grid-template-columns: auto 1fr; gap: 0 .6rem }
.flips small { display: block; white-space: nowrap; color: var(--quiet) } .flips dt { color: var(--quiet) }
  .flips dd { margin: 0 }
:focus-visible { outline: 3px solid var(--ours); outline-offset: 2px }
@media (forced-colors: active) {
  .track { fill: Canvas; stroke: CanvasText } .allowed { fill: GrayText }
  .zero, .matrix td { border-color: CanvasText }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt }
  .contents, .brand { display: none }
  details::details-content { content-visibility: visible; block-size: auto }
  .gates > li, .flips li, tr, .chart, .next, .verdict { break-inside: avoid }
  .track, .allowed, .value, .mark, .candidate, .icon, .matrix td { print-color-adjust: exact }
  .two { display: block } .wide { overflow: visible } pre { white-space: pre-wrap }
}
"""
"""Rules of the page. The colours of texts have a contrast of 4.5 to 1 at least on both papers."""
