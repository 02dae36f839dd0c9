"""Where two of the notes, or two places of one, contradict each other, and what the field does."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Convention:
    """A matter, who says what about it, and what is usual."""

    matter: str
    said: tuple[str, ...]
    usual: str


CONVENTIONS = (
    Convention(
        "order of the weight's indices",
        (
            "ANN, Khan, Introduction: w_ij leads to i from j",
            "Neural networks: θ_jk leads from j to k",
        ),
        "w_ij to i from j for column vectors (Nielsen); (n_in, n_out) where examples are rows",
    ),
    Convention(
        "number of a weight's layer",
        ("ANN, Khan, Introduction, Punnen: that it leads to", "Neural networks: that it leaves"),
        "the layer it leads to",
    ),
    Convention(
        "last layer",
        (
            "ANN: N, the input is 1",
            "Khan, Punnen: L",
            "Introduction: L+1, after L hidden ones",
            "Neural networks: L+1, where L counts hidden and output layers, and the input is 1",
        ),
        "L; the input is 0, or 1 (Nielsen)",
    ),
    Convention(
        "constant of the square cost",
        (
            "ANN: Σ (a - y)², hence 2 (a - y)",
            "Khan, Punnen: ½, hence a - y",
            "Neural networks: 1 (RSS) and ½ (MSE)",
        ),
        "½ in derivations; means of squares without it in libraries",
    ),
    Convention(
        "cost of several examples",
        (
            "ANN, Khan: mean",
            "Neural networks: sum (RSS) or mean",
            "Introduction: total loss is the sum, minimised is the mean",
        ),
        "the mean over the batch",
    ),
    Convention(
        "cost, in words",
        ("Introduction: wanted minus actual output", "Introduction: cross-entropy"),
        "a function that is smallest where they agree; a difference is an error, not a cost",
    ),
    Convention(
        "an epoch",
        (
            "ANN: one update, from one mini-batch",
            "Introduction: one pass through the training set",
            "Neural networks: one pass, as a single batch",
            "Khan, program: one random mini-batch",
        ),
        "one pass through the training set",
    ),
    Convention(
        "m of mini-batches",
        ("Introduction, pseudo-code: examples in a batch", "Introduction, text: batches"),
        "examples in a batch; 32, 64, 128 are batch sizes",
    ),
    Convention(
        "step function at 0",
        ("Introduction: 0 in one place, -1 in another", "Neural networks: 1 (x ≥ k)"),
        "1 from the threshold on (McCulloch and Pitts 1943); its derivative is 0 anyway",
    ),
    Convention(
        "biases at the start",
        (
            "ANN, Khan: random",
            "Neural networks: set to 1, which is right of the bias units a_0, not of their weights",
        ),
        "0",
    ),
    Convention(
        "bias of the softmax layer",
        ("Introduction, a point: none", "Introduction, a batch: b^o"),
        "with bias",
    ),
    Convention(
        "what a norm penalty counts",
        ("Introduction: all parameters", "Introduction, a line on: weights alone"),
        "weights alone",
    ),
    Convention(
        "ridge and lasso",
        (
            "Introduction: L1 and L2 are called ridge and lasso",
            "Introduction, further on: lasso is L1",
        ),
        "lasso is L1 (Tibshirani 1996), ridge is L2",
    ),
    Convention(
        "dropout mask",
        (
            "Introduction: q = 0.66 of three entries means exactly two ones",
            "Introduction, further on: drawn from a Bernoulli distribution",
        ),
        "independent draws, and outputs divided by q in training (Srivastava et al. 2014)",
    ),
)
