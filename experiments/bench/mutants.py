"""`bench mutants`: small mistakes planted in the library, and which of them no test notices.

Each is planted in a copy of the tree, where the tests that are about its module then run. Some
survivors change nothing that can be seen, such as a `<=` between sides that are never equal. Any
other is a test that is missing, or is not among the `--files`.
"""

import ast
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from experiments.bench.mutations import Mutant, mutants
from experiments.common.failures import ConfigError
from experiments.common.parser import Parser, count

ROOT = Path(__file__).parents[2]
SKIPPED = ("check", "sklearn")  # rooms with tests that take minutes
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "venv", "__pycache__", ".*_cache")


def main(words: list[str]) -> int:
    """Prints a line for each mutant that survives, and the share that is killed; the status is 0,
    for some change nothing."""
    usage = "[--sample N] [--seed N] [--path PATH] [--files N] [--timeout N] [--out FILE]"
    about = "plant small mistakes in the library, and see which of them no test notices"
    parser = Parser("bench mutants", usage, about)
    parser.add_argument("--sample", type=count, default=300, help="mutants that are drawn (300)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (0)")
    parser.add_argument("--path", default="jaxnn", help="a module or folder of the library (jaxnn)")
    parser.add_argument("--files", type=count, default=6, help="test files for each, at most (6)")
    parser.add_argument(
        "--timeout", type=count, default=300, help="seconds for each test file (300)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the lines into FILE too")
    asked = parser.parse_args(words)
    if asked.out and not asked.out.parent.is_dir():
        raise ConfigError(f"--out {asked.out}: expected a folder {asked.out.parent} that exists")
    modules = modules_of(ROOT, "jaxnn", SKIPPED)
    chosen = [path for path in modules if Path(path).is_relative_to(asked.path)]
    if not chosen:
        raise ConfigError(f"--path {asked.path}: expected a module or a folder such as jaxnn/optim")
    drawn = draw(ROOT, chosen, asked.sample, asked.seed)
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(ROOT, Path(folder) / "tree", asked.timeout)
        for line in judged(copy, drawn, Index(ROOT, modules), asked.files):
            lines.append(line)
            print(line, flush=True)
            if asked.out:
                asked.out.write_text("".join(f"{line}\n" for line in lines))
    return 0


class Site(NamedTuple):
    """A mutant, and the path of its module in the tree."""

    path: str
    mutant: Mutant


def modules_of(root: Path, package: str, skipped: tuple[str, ...] = ()) -> list[str]:
    """The paths of the modules of a package, but for those in the skipped folders of it."""
    paths = (path.relative_to(root) for path in sorted((root / package).rglob("*.py")))
    return [path.as_posix() for path in paths if path.parts[1] not in skipped]


def draw(root: Path, paths: list[str], sample: int, seed: int) -> list[Site]:
    """Mutants of these modules, drawn by the seed; a larger sample begins with a smaller one."""
    sites = [Site(path, mutant) for path in paths for mutant in mutants((root / path).read_text())]
    random.Random(seed).shuffle(sites)
    return sites[:sample]


class Index:
    """Which test files are about a module: those that import it, or use a public name of it."""

    def __init__(self, root: Path, modules: list[str]) -> None:
        self._package = modules[0].partition("/")[0]
        self._library = {path: (root / path).read_text() for path in modules}
        self._imports = {path: self._used(text) for path, text in self._library.items()}
        tests = {f"tests/{path.name}": path for path in sorted(root.glob("tests/test_*.py"))}
        used = {name: self._used(path.read_text()) for name, path in tests.items()}
        self._by_module = {
            path: [name for name in used if used[name] & {_dotted(path), *self._public(path)}]
            for path in modules
        }
        self._breadth = {n: sum(n in found for found in self._by_module.values()) for n in used}

    def of(self, path: str, most: int) -> list[str]:
        """So many at most: those that use the fewest modules first, and behind them those of the
        modules that import this one, and so on."""
        level, seen, found = {path}, {path}, []
        while level and len(found) < most:
            new = {name for each in level for name in self._by_module[each]} - {*found}
            found += sorted(new, key=lambda name: (self._breadth[name], name))
            names = {_dotted(each) for each in level}
            level = {each for each, used in self._imports.items() if used & names} - seen
            seen |= level
        return found[:most]

    def _public(self, path: str) -> set[str]:
        names = set()
        for node in ast.parse(self._library[path]).body:
            targets = getattr(node, "targets", [getattr(node, "target", node)])
            names |= {getattr(each, "name", getattr(each, "id", "_")) for each in targets}
        return {f".{name}" for name in names if not name.startswith("_")}

    def _used(self, source: str) -> set[str]:
        """Modules of the package by their dotted names, and names in it behind a dot."""
        tree, ours, used = ast.parse(source), set(), set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                prefix = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                for alias in node.names:
                    whole = ".".join([*prefix, alias.name])
                    if whole.partition(".")[0] == self._package:
                        ours.add(alias.asname or (alias.name if prefix else self._package))
                        used |= {whole, *prefix, f".{alias.name}"}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and _root(node) in ours:
                used.add(f".{node.attr}")
        return used


def _root(node: ast.AST) -> str | None:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


class Copy:
    """A copy of a tree to plant mutants in; the tests that run in it see no other."""

    def __init__(self, root: Path, copy: Path, timeout: float) -> None:
        shutil.copytree(root, copy, symlinks=True, ignore=NOT_COPIED)
        self._root, self._timeout, self._sound = copy, timeout, {}

    def survives(self, site: Site, tests: list[str]) -> bool:
        """Whether all of these tests pass, within the time, with the mutant in place."""
        path = self._root / site.path
        source = path.read_text()
        path.write_text(site.mutant.source)
        try:
            return self._pass(tests)
        finally:
            path.write_text(source)

    def sound(self, test: str) -> bool:
        """Whether a test file passes while nothing is planted; it is run once."""
        if test not in self._sound:
            self._sound[test] = self._pass([test])
            if not self._sound[test]:
                print(f"{test} does not pass as it is: left out", file=sys.stderr, flush=True)
        return self._sound[test]

    def _pass(self, tests: list[str]) -> bool:
        # without bytecode: that of a mutant of the same second and size would be taken for the next
        env = {**os.environ, "PYTHONPATH": str(self._root), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        null = subprocess.DEVNULL
        process = subprocess.Popen(
            command, cwd=self._root, env=env, stdout=null, stderr=null, process_group=0
        )
        try:
            return process.wait(self._timeout * len(tests)) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            if process.poll() is None:  # with all that the tests have started
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def judged(copy: Copy, sites: list[Site], index: Index, most: int) -> Iterator[str]:
    """A line for each mutant that survives, then the share that was killed."""
    killed = 0
    for path, mutant in sites:
        sound = [name for name in index.of(path, most) if copy.sound(name)]
        if not sound or copy.survives(Site(path, mutant), sound):
            yield f"{path}:{mutant}" + ("" if sound else "  (no test is about it)")
        else:
            killed += 1
    share = f"{100 * killed / len(sites):.1f} %" if sites else "nothing"
    yield f"killed: {share} of {len(sites)} mutants"
