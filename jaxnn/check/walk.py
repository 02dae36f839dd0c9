"""The layer at fault: every layer of a network checked alone, at the input that reached it.

The last layer comes first, as going backward does. The first one whose own backward pass is wrong
is where the fault is; a combinator is at fault only if every layer in it is right. Of the equal
layers of a `Repeat` the first stands for all.
"""

import dataclasses
from typing import Any, NamedTuple

import jax

from jaxnn.check.numeric.arrays import FLOAT0, named
from jaxnn.check.options import Options
from jaxnn.check.problem import Problem
from jaxnn.check.report.record import Finding
from jaxnn.check.report.report import Report
from jaxnn.check.trial.verify import verify
from jaxnn.core.layer import Layer
from jaxnn.core.notes import seen
from jaxnn.core.types import Key, Params, Tree
from jaxnn.core.walk import inner_layers
from jaxnn.core.watch import watched_throughout
from jaxnn.losses.loss import Loss
from jaxnn.readings import gradient


class Visit(NamedTuple):
    """One call of a layer: where it stands, and what went in."""

    path: str
    layer: Layer
    params: Params
    x: Tree
    key: Key


def visits(net: Layer, params: Params, x: Tree, key: Key) -> tuple[list[Visit], Any]:
    """The calls of innermost layers from the last to the first, then those of the combinators from
    the inside out; and the output."""
    noted = watched_throughout(net, _call)
    y, residuals = noted.forward(params, x, key)
    notes = seen(noted.observe(residuals))
    found = [Visit(note.path, note.layer, *note.each()[0][1]) for note in notes]
    innermost = [visit for visit in found if not inner_layers(visit.layer)]
    return innermost[::-1] + [visit for visit in found if inner_layers(visit.layer)], y


def _call(params: Params, x: Tree, key: Key, y: Tree, residuals: Tree) -> tuple[Params, Tree, Key]:
    """A note of what went in."""
    return params, x, key


def layer_problem(layer: Layer, key: Key) -> Problem:
    """A layer as a map of its parameters and its input."""

    def forward(params: Params, x: Tree) -> Any:
        return layer.forward(params, x, key)[0]

    def backward(args: tuple[Tree, ...], dy: Tree) -> tuple[Any, Any]:
        params, x = args
        _, residuals = layer.forward(params, x, key)
        dy = jax.tree.map(lambda entry: None if entry.dtype == FLOAT0 else entry, dy)
        dx, dparams = layer.backward(params, residuals, dy, lambda factor: gradient(factor, 1.0))
        return dparams, dx

    return Problem(
        title=repr(layer),
        names=("params", "x"),
        forward=forward,
        backward=backward,
        reference=forward,
        wrt=(0, 1),
        call=f"check_layer({layer!r}, params, x",
    )


def loss_problem(loss: Loss) -> Problem:
    """A loss as a map of the outputs: a value for every example, deltas = dvalue/doutputs."""
    return Problem(
        title=repr(loss),
        names=("outputs", "y"),
        forward=lambda outputs, y: loss(outputs, y)[0],
        backward=lambda args, dy: (loss(*args)[1] * dy[..., None],),
        reference=lambda outputs, y: loss(outputs, y)[0],
        wrt=(0,),
    )


def with_names(options: Options, layer: Layer, key: Key) -> Options:
    """The options with what the diagnosis may look for in this layer: its numbers, and what it
    keeps for backward."""
    numbers: dict[str, float] = {}
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        if isinstance(value, float) and value:
            numbers |= {field.name: value, f"1 - {field.name}": 1 - value}

    def known(params: Params, x: Tree) -> dict[str, Any]:
        return named(layer.forward(params, x, key)[1], "residuals")

    return options._replace(
        constants={**numbers, **(options.constants or {})}, known=options.known or known
    )


def at_fault(
    report: Report, net: Layer, params: Params, x: Tree, key: Key, options: Options
) -> Report:
    """The report of a wrong network with the place and the cause of the first layer that is wrong
    by itself."""
    found, _ = visits(net, params, x, key)
    for visit in found:
        alone = verify(
            layer_problem(visit.layer, visit.key),
            (visit.params, visit.x),
            with_names(options, visit.layer, visit.key)._replace(inputs=None),
        )
        if alone.verdict == "wrong":
            where = f"{visit.path} {visit.layer!r}".strip()
            what = alone.findings if not alone.place else ()
            return report.replace(
                place=f"{where}: {alone.place}" if alone.place else where,
                cause=alone.cause,
                findings=tuple(dict.fromkeys(report.findings + what)),
            )
    note = "every layer is right by itself: what they are made into is not"
    return report.replace(findings=(*report.findings, Finding("note", "gradient", note)))


def loss_at_fault(
    report: Report, net: Layer, loss: Loss, args: tuple[Tree, ...], key: Key, options: Options
) -> Report:
    """The same for a whole backpropagation: the loss comes before the layers."""
    params, x, y = args[:3]
    _, outputs = visits(net, params, x, key)
    alone = verify(loss_problem(loss), (outputs, y), options._replace(inputs=None))
    if alone.verdict == "wrong":
        return report.replace(place=f"the loss {loss!r}: {alone.place}", cause=alone.cause)
    return at_fault(report, net, params, x, key, options)
