"""Planted mistakes: what a gradient checker has to catch, as models that anyone can run."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.bench.mistakes.model import Model

MODULES = (  # in the order of the published list
    *("losses", "mlp", "dropout", "normalisation", "regularisation", "attention", "tokens"),
    *("images", "sharding", "interface", "recurrent"),
)


def models() -> "tuple[Model, ...]":
    """Every model of every module."""
    modules = (importlib.import_module(f"{__name__}.{name}") for name in MODULES)
    return tuple(model for module in modules for model in module.MODELS)
