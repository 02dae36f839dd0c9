"""The style sheet of every page. Its colours are variables, which figures use too (see `svg`)."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1d2126; --quiet: #5d6670; --line: #dfe3e8; --wash: #f5f7f9;
  --blue: #0072b2; --vermilion: #d55e00; --green: #009e73; --purple: #b5588c;
  --blue-rgb: 0, 114, 178; --vermilion-rgb: 213, 94, 0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15181c; --ink: #e4e7ea; --quiet: #98a2ad; --line: #2c323a; --wash: #1c2026;
    --blue: #56b4e9; --vermilion: #f28e4b; --green: #35c99d; --purple: #e29cc6;
    --blue-rgb: 86, 180, 233; --vermilion-rgb: 242, 142, 75;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1rem 4rem; max-width: 70rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: break-word;
}
h1 { margin: 0; font-size: 1.05rem; font-weight: 600; color: var(--quiet); }
h2 { margin: 3.5rem 0 .75rem; padding-top: 1rem; border-top: 1px solid var(--line);
     font-size: 1.25rem; font-weight: 600; line-height: 1.3; }
h3 { margin: 2rem 0 .5rem; font-size: 1rem; font-weight: 600; }
p { margin: .5rem 0; max-width: 44rem; }
a { color: var(--blue); text-decoration-thickness: 1px; text-underline-offset: .15em; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
            font-size: .85em; }
pre { padding: .75rem 1rem; overflow-x: auto; background: var(--wash); border-radius: 6px; }
.result { margin: .35rem 0 .5rem; max-width: none; font-size: clamp(1.5rem, 4.5vw, 2.1rem);
          font-weight: 600; line-height: 1.25; letter-spacing: -.01em; }
header p { max-width: none; }
.quiet, figcaption small { color: var(--quiet); }
.note { margin: 1.25rem 0; padding: .6rem 1rem; max-width: none; background: var(--wash);
        border-left: 3px solid var(--vermilion); border-radius: 0 6px 6px 0; }
nav { margin-top: 1.25rem; font-size: .9rem; }
nav a { display: inline-block; margin-right: 1.1rem; padding: .15rem 0; text-decoration: none; }
nav a:hover { text-decoration: underline; }
.figures { display: grid; gap: 1.5rem 2rem;
           grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); }
.wide { grid-template-columns: repeat(auto-fill, minmax(min(100%, 28rem), 1fr)); }
figure { margin: 0; min-width: 0; }
figcaption { margin-bottom: .3rem; font-size: .9rem; font-weight: 600; }
figcaption small { font-size: 1em; font-weight: 400; }
svg { display: block; width: 100%; max-width: 36rem; height: auto; }
svg * { stroke-linejoin: round; }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: separate; border-spacing: 0; font-size: .9rem;
        font-variant-numeric: tabular-nums; }
th { font-weight: 600; }
th, td { padding: .3rem .75rem; text-align: left; white-space: nowrap; vertical-align: baseline; }
th:first-child, td:first-child { padding-left: 0; }
thead th { color: var(--quiet); font-weight: 500; border-bottom: 1px solid var(--line); }
tbody th { font-weight: 500; }
tbody tr + tr > * { border-top: 1px solid var(--line); }
.number { text-align: right; }
.pinned tr > :not(:first-child) { text-align: right; }
.pinned th:first-child { position: sticky; left: 0; background: var(--paper); }
dl { columns: 20rem; column-gap: 2.5rem; margin: .5rem 0; font-size: .9rem; }
dl div { display: flex; justify-content: space-between; gap: 1rem; padding: .25rem 0;
         border-bottom: 1px solid var(--line); break-inside: avoid; }
dt { color: var(--quiet); }
dd { margin: 0; min-width: 0; text-align: right; font-variant-numeric: tabular-nums;
     overflow-wrap: anywhere; }
details { margin: 1rem 0; }
summary { color: var(--quiet); cursor: pointer; font-size: .9rem; }
.confusion td { padding: .3rem 0; min-width: 2.4rem; text-align: center; }
.confusion tbody tr > * { border: 0; }
.confusion thead th { padding: .3rem .5rem; text-align: center; border: 0; vertical-align: bottom; }
.confusion th:first-child { padding-right: .6rem; text-align: right; }
.confusion .zero { color: var(--line); }
.confusion tr > :last-child { padding-left: .75rem; text-align: right; }
.upright { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; }
.tiles { display: grid; gap: 1rem .75rem; padding: 0; margin: 1rem 0;
         grid-template-columns: repeat(auto-fill, minmax(4.9rem, 1fr)); }
.tiles figcaption { margin: .3rem 0 0; font-weight: 400; font-size: .8rem; line-height: 1.35; }
.weights { grid-template-columns: repeat(16, 1fr); gap: .4rem; }
img { display: block; width: 100%; image-rendering: pixelated; border-radius: 3px; }
.weights img { background: var(--wash); }
.map { margin-bottom: .75rem; }
.map img { height: 8rem; background: var(--wash); }
.strip img { height: 1.25rem; }
.bar { max-width: 36rem; margin: 1rem 0 1.25rem; }
.swatch { display: inline-block; width: .7em; height: .7em; margin-right: .4em;
          border-radius: 2px; }
@media (max-width: 40rem) {
  .weights { grid-template-columns: repeat(8, 1fr); }
  .confusion { font-size: .8rem; }
  .confusion td { min-width: 1.6rem; }
}
"""
