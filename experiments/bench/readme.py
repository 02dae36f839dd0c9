"""The README shows what `bench show` prints; this puts it there, after new results are committed.

python -m experiments.bench.readme
"""

import contextlib
import io
import re
from pathlib import Path

from experiments.__main__ import main as experiments
from experiments.common.failures import Failure

PAGE = Path(__file__).with_name("README.md")
_SHOWN = re.compile(
    r"^(```sh\npython -m experiments (bench show .*)\n```\n\n```text\n)(?:.*\n)*?```$", re.MULTILINE
)


def refreshed(text: str) -> str:
    """The page with every shown output as its command prints it now."""
    return _SHOWN.sub(lambda block: f"{block[1]}{printed(block[2].split())}\n```", text)


def printed(words: list[str]) -> str:
    """What a command prints. Raises Failure for one that fails, which says why on stderr."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = experiments(words)
    if status:
        raise Failure(f"{PAGE.name}: '{' '.join(words)}' ended with status {status}, expected 0")
    return said.getvalue().strip("\n")


if __name__ == "__main__":
    PAGE.write_text(refreshed(PAGE.read_text()))
    print(PAGE)
