"""The training curves that M. Nielsen recorded for his book, brought back number by number.

The figures of "Neural Networks and Deep Learning" (2015), chapters 3 and 5, were drawn from files
that hold cost and accuracy after every epoch. All random numbers behind chapter 3 are known, so
training with `jaxnn` has to give the same numbers again:

    files.py      reads what was recorded: $JAXNN_DATA_DIR/nielsen/*.json
    runs.py       which training lies behind which curve
    networks.py   the networks, and their initial parameters
    shuffle.py    the order of the examples
    images.py     the images, in float64
    follow.py     the training itself, epoch by epoch
    agreement.py  how near the two sets of numbers are
    norms.py      chapter 5: the norm of the error in every hidden layer of deep networks
    plot.py       recorded and reproduced curves, one on the other

`python -m experiments run recorded_curves` and `... run deep_gradients` print and plot all of it.
"""
