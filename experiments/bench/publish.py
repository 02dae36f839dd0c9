"""`bench publish`: write what `bench show` prints of the committed results.

Each `results/NAME.json` gets a `NAME.txt` with its goals, its losses and all its tables. In the
README every block of text below a `bench show` command becomes what that command prints.
"""

import re
from pathlib import Path

from experiments.bench import record, show
from experiments.common.parser import Parser
from experiments.common.runs import write_whole

PAGE = Path(__file__).with_name("README.md")
_SHOWN = re.compile(
    r"^(```sh\npython -m experiments bench show (.*)\n```\n\n```text\n)(?:.*\n)*?```$", re.MULTILINE
)


def main(words: list[str]) -> int:
    """Write the files, print their paths, and return 0."""
    parser = Parser("bench publish", "", "write what bench show prints into the committed files")
    parser.parse_args(words)
    for path, text in pages().items():
        write_whole(path, text.encode())
        print(path)
    return 0


def pages() -> dict[Path, str]:
    """Every file that shows results, with the text that belongs into it."""
    found = {PAGE: refreshed(PAGE.read_text())}
    for name in record.committed():
        words = [name, "--goals", "--losses", "--tables"]
        found[record.FOLDER / f"{name}.txt"] = show.text(words)
    return found


def refreshed(page: str) -> str:
    """The page with every shown output as its command prints it now."""
    return _SHOWN.sub(lambda block: f"{block[1]}{show.text(block[2].split())}```", page)
