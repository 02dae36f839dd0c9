"""Pages about runs: one self-contained HTML file each, for one run or for several side by side.

Nothing in them is loaded from elsewhere and nothing runs: text, inline SVG, images as data, one
style sheet that follows the reader's light or dark setting. The same folder gives the same bytes.
"""
