"""Style of an atlas: light, dark, print, narrow screens."""

STYLE = """
:root {
  color-scheme: light dark; --page: #fff; --ink: #1b1f24; --line: #6e778166;
  --good: #116329; --bad: #a40e26; --open: #7a4b00
}
@media (prefers-color-scheme: dark) {
  :root { --page: #0d1117; --ink: #e6edf3; --good: #56d364; --bad: #ff9389; --open: #e3b341 }
}
body {
  font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
  margin: 0 auto; padding: 1rem; max-width: 90rem
}
h1 { font-size: 1.5rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
caption { text-align: left; padding: .3rem 0; font-weight: 600 }
th, td { text-align: left; vertical-align: top; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line) }
code { font-size: .85rem; overflow-wrap: anywhere }
.passed { color: var(--good) } .failed { color: var(--bad) } .undecided { color: var(--open) }
a { color: inherit } .legend { vertical-align: middle } .command { min-width: 22rem }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 2rem }
figure { margin: 0; flex: 1 1 18rem; max-width: 40rem }
@media print { body { max-width: none } .wide { overflow: visible } }
"""
