"""Defects of the experiments on coins (afiq-aswadi/balls-and-urns), in our own words."""

from lexurn.chapters.originals.records import Defect

DEFECTS = (
    Defect(
        key="one_coin_per_batch",
        source="coins",
        claim="Models are trained on coins from a prior.",
        right="Every sequence alone is drawn as it should be, so the optimum is Laplace's rule.",
        defect="One coin is drawn for all sequences of a batch.",
        verdict="stands",
        because=(
            "the optimum is the same, though we did not train a transformer to it in this way; a"
            " batch is worth about as much as a single sequence, so training is noisier"
        ),
        test="Count the distinct coins of a batch.",
        where="07_coins",
        what=(
            "independent sequences that a batch of 64 is worth to the gradient of a model of two "
            "numbers at its optimum, one coin for a batch → one for a sequence"
        ),
    ),
    Defect(
        key="lower_bound",
        source="coins",
        claim="The loss is compared with a theoretical lower bound.",
        right="It is a lower bound, the loss of a predictor that knows the coin.",
        defect=(
            "No predictor can reach it, so that the best possible model seems to be short of it."
        ),
        verdict="weaker",
        because="most of the gap that models seem to leave is unavoidable",
        test="Compute the loss of the exact predictor.",
        where="07_coins",
        what="loss per flip over 20 flips, bound as printed → attainable (nats)",
    ),
    Defect(
        key="missing_bos",
        source="coins",
        claim="Models with a start token are compared with models without.",
        right="The comparison is a good question.",
        defect="Models that were trained with a start token are evaluated without it.",
        verdict="undecidable",
        because="the evaluation is of inputs that training never had",
        test="Evaluate on a training batch; the loss must be that of training.",
        where="07_coins",
        what=(
            "excess over Laplace's rule of models with a start token, evaluated without it → with"
            " it (nats a flip)"
        ),
    ),
    Defect(
        key="first_orders",
        source="coins",
        claim="Representations do not depend on the order of the flips.",
        right="Equal counts are compared, and cosines near one are found.",
        defect=(
            "Only the first 1000 orders in lexicographic order are compared, in which the first "
            "flips never move."
        ),
        verdict="stands",
        because=(
            "with random orders, our trained models are nearly as invariant; but the published "
            "test misses the first flips"
        ),
        test="Give the test a predictor that must not pass.",
        where="07_coins",
        what=(
            "spread of P(heads) over orders, of a predictor that reads five flips, first 1000 "
            "orders → 1000 random ones"
        ),
    ),
    Defect(
        key="sorted_only",
        source="coins",
        claim=(
            "The output of the head is a straight line in the share of heads, for each last flip."
        ),
        right="On sorted sequences it nearly is, and the two lines are a real finding.",
        defect=(
            "Only sorted sequences are shown, in which the share of heads and the order go "
            "together."
        ),
        verdict="weaker",
        because="on random sequences, less of the output is explained by the share of heads",
        test="Fit on one kind of sequences and test on another.",
        where="07_coins",
        what=(
            "R² of the head's output against the share of heads, tiny models, sorted → random "
            "sequences"
        ),
    ),
    Defect(
        key="negation",
        source="coins",
        claim=(
            "Predictions are not exactly symmetric; in theory they would be, if the residual stream"
            " were negated."
        ),
        right=(
            "Both hold, and the source calls its results preliminary. Its finding is that models "
            "are not exactly symmetric."
        ),
        defect="The note is an identity: without a bias it holds for any weights.",
        verdict="stands",
        because=(
            "the note is true; but untrained models have this symmetry too, so it is no property "
            "that was learned"
        ),
        test="Ask an untrained model.",
        where="07_coins",
        what="error of symmetry of untrained models, by negation → by exchanging the flips",
    ),
)
