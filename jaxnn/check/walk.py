"""The layer at fault: every layer of a network checked alone, at the input that reached it.

The last layer comes first, as going backward does. The first one whose own backward pass is wrong
is where the fault is; a combinator is at fault only if every layer in it is right. Of the equal
layers of a `Repeat` the first stands for all.
"""

import dataclasses
from typing import Any, NamedTuple

from jaxnn.check.numeric.arrays import named
from jaxnn.check.options import Options
from jaxnn.check.problem import Problem
from jaxnn.check.report.record import Finding
from jaxnn.check.report.report import Report
from jaxnn.check.trial.verify import verify
from jaxnn.core.layer import Layer, inner_layers
from jaxnn.core.types import Key, Params, Tree
from jaxnn.layers.repeat import Repeat
from jaxnn.losses.loss import Loss
from jaxnn.readings import gradient


class Visit(NamedTuple):
    """One call of a layer: where it stands, and what went in."""

    path: str
    layer: Layer
    params: Params
    x: Tree
    key: Key


class Watched(Layer):
    """A layer that writes down its calls."""

    path: str
    layer: Layer
    watched: Layer
    log: list[Visit]

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Any, Any]:
        """The layer's own, written down when it is done: inner layers before outer ones."""
        found = self.watched.forward(params, x, key)
        self.log.append(Visit(self.path, self.layer, params, x, key))
        return found


class FirstOf(Layer):
    """A `Repeat` that shows its first layer: what happens in a scan cannot be written down."""

    repeat: Repeat
    first: Layer

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Any, Any]:
        """Those of the repeat, with the first layer called besides."""
        self.first.forward(*self.repeat.first(params, x, key))
        return self.repeat.forward(params, x, key)


def visits(net: Layer, params: Params, x: Tree, key: Key) -> tuple[list[Visit], Any]:
    """The calls of innermost layers from the last to the first, then those of the combinators from
    the inside out; and the output."""
    log: list[Visit] = []
    y, _ = watch(net, log).forward(params, x, key)
    innermost = [visit for visit in log if not inner_layers(visit.layer)]
    return innermost[::-1] + [visit for visit in log if inner_layers(visit.layer)], y


def watch(layer: Layer, log: list[Visit], path: str = "") -> Layer:
    """The same network with each of its layers watched."""
    if isinstance(layer, Repeat):
        return Watched(path, layer, FirstOf(layer, watch(layer.layer, log, path)), log)
    changes: dict[str, Any] = {}
    for name, value in inner_layers(layer).items():
        if isinstance(value, Layer):
            changes[name] = watch(value, log, path)
        else:
            several = (watch(inner, log, f"{path}[{i}]") for i, inner in enumerate(value))
            changes[name] = tuple(several)
    return Watched(path, layer, layer.replace(**changes) if changes else layer, log)


def layer_problem(layer: Layer, key: Key) -> Problem:
    """A layer as a map of its parameters and its input."""

    def forward(params: Params, x: Tree) -> Any:
        return layer.forward(params, x, key)[0]

    def backward(args: tuple[Tree, ...], dy: Tree) -> tuple[Any, Any]:
        params, x = args
        _, residuals = layer.forward(params, x, key)
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
