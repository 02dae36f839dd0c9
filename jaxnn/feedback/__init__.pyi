"""The public names of `jaxnn.feedback`."""

from jaxnn.feedback.direct import (
    DirectFeedbackAlignment as DirectFeedbackAlignment,
    DirectRandomTargetProjection as DirectRandomTargetProjection,
)
from jaxnn.feedback.matrices import (
    FeedbackAlignment as FeedbackAlignment,
    KolenPollack as KolenPollack,
    SignSymmetric as SignSymmetric,
    WeightMirror as WeightMirror,
)
from jaxnn.feedback.networks import (
    Alignment as Alignment,
    alignment as alignment,
    with_rule as with_rule,
)
from jaxnn.feedback.rules import (
    BackwardRule as BackwardRule,
    GradientReversal as GradientReversal,
    GuidedBackprop as GuidedBackprop,
    Passage as Passage,
    StraightThrough as StraightThrough,
    WithBackward as WithBackward,
    WithFeedback as WithFeedback,
)

__all__: list[str]
