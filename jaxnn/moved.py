"""Names that stood at the top until version 0.2, and the rooms they stand in now."""

MOVED = {
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
    "optim.kfac": "kfac_start kfac_step",
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
