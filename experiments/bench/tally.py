"""The figures of the benchmark: sums, bars, and everything as plain numbers and strings."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from experiments.bench.peers import Row
from experiments.bench.planted import JUDGED, Alarms, Score

CAUSES = 0.8  # the share of recognisable causes that has to be named


class Line(NamedTuple):
    """One line of the summary; `ok` unless the figure in it is below its bar."""

    text: str
    ok: bool = True


class Tally(NamedTuple):
    """Runs with a mistake caught, all such runs, mistakes caught in every run, all mistakes."""

    caught: int
    runs: int
    always: int
    mistakes: int

    @property
    def share(self) -> float:
        """Of the runs, those that were caught."""
        return self.caught / self.runs if self.runs else 0.0


def count(found: Sequence[Sequence[bool]]) -> Tally:
    """The tally of mistakes, each a list of its runs."""
    return Tally(sum(map(sum, found)), sum(map(len, found)), sum(map(all, found)), len(found))


def real(scores: Iterable[Score]) -> list[Score]:
    """Without the mistakes that are none."""
    return [one for one in scores if not one.mistake.equivalent]


def ours(scores: Iterable[Score], dtype: str) -> Tally:
    """Our checker in one precision."""
    return count([one.caught[dtype] for one in real(scores)])


def theirs(rows: Iterable[Row]) -> dict[str, tuple[Tally, Tally]]:
    """By peer, how many of the mistakes it caught, and how many of the right codes."""
    rows = list(rows)

    def of(peer: str, right: bool) -> Tally:
        return count([r.caught for r in rows if r.peer == peer and (r.number == 0) == right])

    return {peer: (of(peer, False), of(peer, True)) for peer in dict.fromkeys(r.peer for r in rows)}


def summary(scores: Sequence[Score], found: Sequence[Alarms], beside: Sequence[Row]) -> list[Line]:
    """A line for each figure, and one for whatever was missed."""
    lines = [_caught(scores, dtype) for dtype in JUDGED]
    judged, forgiven = real(scores), [one for one in scores if one.mistake.equivalent]
    places = sum(one.place_right for one in judged)
    causes = [one.cause_right for one in judged if one.cause_right is not None]
    lines += [
        _line("place named", places, len(judged), places == len(judged)),
        _line("cause named", sum(causes), len(causes), sum(causes) >= CAUSES * len(causes)),
    ]
    for dtype, bad, runs in right_code(found):
        lines.append(_line(f"alarms for right code in {dtype}", bad, runs, not bad))
    flagged = sum(any(map(any, one.caught.values())) for one in forgiven)
    lines.append(_line("alarms for mistakes that are none", flagged, len(forgiven), not flagged))
    lines += [_beside(scores, name, found) for name, (found, _) in theirs(beside).items()]
    return lines + [Line(f"  {text}") for one in judged for text in misses(one)]


def _line(what: str, part: int, whole: int, ok: bool) -> Line:
    return Line(f"{what}: {part} of {whole}{'' if ok else '   below the bar'}", ok)


def _caught(scores: Sequence[Score], dtype: str) -> Line:
    _, _, always, mistakes = ours(scores, dtype)
    return _line(f"caught in {dtype} at every seed", always, mistakes, always == mistakes)


def right_code(found: Sequence[Alarms]) -> list[tuple[str, int, int]]:
    """(precision, runs of right code that do not pass, all runs)."""
    return [
        (dtype, sum(a.bad for a in rows), sum(a.seeds for a in rows))
        for dtype in dict.fromkeys(a.dtype for a in found)
        for rows in [[a for a in found if a.dtype == dtype]]
    ]


def _beside(scores: Sequence[Score], peer: str, found: Tally) -> Line:
    least = min(ours(scores, dtype).share for dtype in JUDGED)
    verb = "above" if least > found.share else "NOT above"
    return Line(f"{verb} {peer}: {least:.1%} of the runs, {found.share:.1%}", least > found.share)


def misses(one: Score) -> list[str]:
    """What was not as it should be with this mistake."""
    name = f"{one.model} {one.mistake.number} {one.mistake.name}"
    texts = [
        f"missed in {d}: {name}, seeds {[i for i, hit in enumerate(one.caught[d]) if not hit]}"
        for d in JUDGED
        if not all(one.caught[d])
    ]
    if not one.place_right:
        texts.append(f"place: {name}: {one.place or 'none'}, not {one.mistake.place}")
    if one.cause_right is False:
        texts.append(f"cause: {name}: {one.cause or 'none'}, not {one.mistake.cause}")
    return texts


def to_dict(
    scores: Sequence[Score], found: Sequence[Alarms], beside: Sequence[Row]
) -> dict[str, Any]:
    """Everything, for JSON."""
    return {
        "summary": [line._asdict() for line in summary(scores, found, beside)],
        "mistakes": [one._asdict() | {"mistake": one.mistake._asdict()} for one in scores],
        "right": [one._asdict() for one in found],
        "peers": [one._asdict() for one in beside],
    }
