"""The shuffle of CPython 2, which fixed the order of the examples in the recorded runs."""

from random import Random
from typing import Any


def shuffle(items: list[Any], random: Random) -> None:
    """Shuffle the list in place: for i from n-1 down to 1, swap i with floor(u (i + 1)).

    Every u in [0, 1) is `random.random()`, whose numbers for a given seed are the same in CPython
    2 and 3. What CPython 3 made of them since, `Random.shuffle`, is another permutation.
    Source: Durstenfeld 1964, algorithm 235.
    """
    for i in range(len(items) - 1, 0, -1):
        j = int(random.random() * (i + 1))
        items[i], items[j] = items[j], items[i]
