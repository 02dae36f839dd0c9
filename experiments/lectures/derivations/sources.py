"""All sources, in the order in which they are printed."""

from experiments.lectures.derivations import (
    ann,
    introduction_modifications,
    khan,
    punnen,
    theta_procedure,
)
from experiments.lectures.derivations.library import LIBRARY

SOURCES = (
    ann.NOTES,
    khan.NOTES,
    introduction_modifications.NOTES,
    punnen.NOTES,
    theta_procedure.NOTES,
    LIBRARY,
)
