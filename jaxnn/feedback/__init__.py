"""Other ways back than the transpose: backward rules, and networks that go by them."""

from jaxnn.feedback.direct import DirectFeedbackAlignment, DirectRandomTargetProjection
from jaxnn.feedback.matrices import FeedbackAlignment, KolenPollack, SignSymmetric, WeightMirror
from jaxnn.feedback.networks import Alignment, alignment, with_rule
from jaxnn.feedback.rules import (
    BackwardRule,
    GradientReversal,
    GuidedBackprop,
    Passage,
    StraightThrough,
    WithBackward,
    WithFeedback,
)

__all__ = [
    "Alignment",
    "BackwardRule",
    "DirectFeedbackAlignment",
    "DirectRandomTargetProjection",
    "FeedbackAlignment",
    "GradientReversal",
    "GuidedBackprop",
    "KolenPollack",
    "Passage",
    "SignSymmetric",
    "StraightThrough",
    "WeightMirror",
    "WithBackward",
    "WithFeedback",
    "alignment",
    "with_rule",
]
