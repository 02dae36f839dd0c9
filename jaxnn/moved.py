"""Names that stood at the top until version 0.2, and what they are now."""

_ROOMS = {
    "core": (
        "Factor Formed Masked Outer Rows ScaleShift Scaled Shape Stacked Sum Table Tied "
        "count_parameters everything weights"
    ),
    "curvature": (
        "KroneckerFactors Sampled ggn_diagonal gnvp hessian_diagonal hvp input_gradient "
        "input_jacobian integrated_gradients kflr kronecker saliency sampled_ggn_diagonal"
    ),
    "feedback": (
        "Alignment BackwardRule DirectFeedbackAlignment DirectRandomTargetProjection "
        "FeedbackAlignment GradientReversal GuidedBackprop KolenPollack SignSymmetric "
        "StraightThrough WeightMirror WithBackward WithFeedback alignment with_rule"
    ),
    "initializers": "constant glorot he lecun normal uniform variance_scaling zeros",
    "layers": "Rescale Serial",
    "optim": "apply_updates",
    "perceptron": (
        "Fit homogeneous novikoff_bound threshold_unit train_averaged_perceptron "
        "train_multiclass_perceptron train_perceptron train_pocket_perceptron"
    ),
    "readings": (
        "Noise Reading SquaredNorms directional gram influence noise_scale second_moment "
        "variance weighted"
    ),
    "schedules": ("ConstantRate CosineDecay ExponentialDecay InverseDecay StepDecay WarmUp"),
    "training": "Statistics average_statistics",
}

MOVED = {name: f"{room}.{name}" for room, names in _ROOMS.items() for name in names.split()} | {
    "kfac_start": "training.start",  # K-FAC is an optimizer like any other
    "kfac_step": "training.train_step",
}
