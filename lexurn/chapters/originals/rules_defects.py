"""Defects of the experiments on rules (meszarosanna/rule_extrapolation), in our own words."""

from lexurn.chapters.originals.records import Defect

DEFECTS = (
    Defect(
        key="sines_along_batch",
        source="rules",
        claim="The transformer has sinusoidal positions.",
        right=(
            "The causal mask alone lets layers find out positions, so the models do learn their "
            "language."
        ),
        defect=(
            "The sines are added along the batch, so that a string's prediction depends on its "
            "place in the batch."
        ),
        verdict="weaker",
        because=(
            "the tested transformer can infer positions from its mask only, so the result is about "
            "transformers without positions"
        ),
        test="Move one sequence to another place of the batch, and ask for equal predictions.",
        where="09_architectures",
        what=(
            "largest change of a probability if a string moves within its batch, along the batch "
            "→ along the string"
        ),
    ),
    Defect(
        key="transposed_mask",
        source="rules",
        claim="A linear model is the baseline for rule extrapolation.",
        right="A baseline that cannot look at content is the right thing to ask for.",
        defect=(
            "Its causal mask is transposed, so every row sees its target, the future, and of the "
            "past only the token before its target."
        ),
        verdict="undecidable",
        because=(
            "every published row of the linear model is about a model that copies in training and"
            " sees one token in use"
        ),
        test="Ask for the gradient of each row by each input; it must be zero above the diagonal.",
        where="09_architectures",
        what=(
            "loss beyond the best possible with the string given, published mask → causal (nats a"
            " string)"
        ),
    ),
    Defect(
        key="best_of_looks",
        source="rules",
        claim="On aNbN, the transformer keeps rule 1 more often than the LSTM.",
        right=(
            "The choice is the same for all architectures, spreads are given, and the repository "
            "also holds rates at the step of least validation loss."
        ),
        defect="Each rate is the best over about 200 evaluations of the same training.",
        verdict="weaker",
        because=(
            "the lead is smaller with one look, and at the step of least loss it is there for "
            "sampled completions of our models only"
        ),
        test="Report the number of looks, and the rate at a step that is chosen without the rate.",
        where="08_rules",
        what=(
            "rule 1 kept on aNbN without positions, best of ten looks among finished → all "
            "prompts, chosen step"
        ),
    ),
    Defect(
        key="finished_only",
        source="rules",
        claim="Rates are shares of completions.",
        right="A completion that has not ended cannot be judged for sure.",
        defect=(
            "Completions that do not end are left out, so a rate rises if fewer completions end."
        ),
        verdict="weaker",
        because=(
            "a share of all prompts cannot be higher; it is much lower where few completions end"
        ),
        test="Report how many prompts a share is of.",
        where="08_rules",
        what=(
            "rule 1 kept on aNbN at one step, mean of four kinds of models, among finished → among "
            "all"
        ),
    ),
    Defect(
        key="pseudo_kl",
        source="rules",
        claim="The validation loss is also reported as a KL divergence.",
        right="Subtracting an entropy from a loss does give a divergence.",
        defect=(
            "One constant, ln(n) / n, is subtracted for all languages; it is the entropy of none "
            "of them."
        ),
        verdict="weaker",
        because=(
            "the exact law of a language gets other numbers than zero, below zero for three of six"
        ),
        test="Score the exact law; its divergence is zero.",
        where="08_rules",
        what=(
            'published "KL" of the exact law, mean absolute value over six languages → its '
            "divergence (nats)"
        ),
    ),
    Defect(
        key="same_data",
        source="rules",
        claim="Validation and test losses of aNbN are reported beside the training loss.",
        right=(
            "Prompts that break a rule are not in any training set, so rule extrapolation is not "
            "touched."
        ),
        defect="All strings of the language are in all three sets.",
        verdict="stands",
        because=(
            "the claims are about prompts that break a rule; the losses say nothing about unseen "
            "strings"
        ),
        test="Intersect the sets.",
        where="08_rules",
        what=(
            "share of validation strings that training has seen, aNbN with all strings → baN with"
            " strings kept from training"
        ),
    ),
    Defect(
        key="pad_loss",
        source="rules",
        claim="Losses are given for every language and model, side by side.",
        right="Models of one language are compared on the same padded strings.",
        defect="Padding is predicted and averaged over, except by the linear model.",
        verdict="weaker",
        because=(
            "losses of two languages, and of the linear model and the others, are not comparable"
        ),
        test="Score the exact law in the same convention.",
        where="08_rules",
        what="loss of the exact law, six languages, with padding → without (nats a token)",
    ),
    Defect(
        key="length_limit",
        source="rules",
        claim="Completions have at most a given length, and end with EOS.",
        right="Completions are cut at their first EOS before they are judged.",
        defect=(
            "Of two conditions one is always true and one never, so the limit is ignored and "
            "nothing ends early."
        ),
        verdict="stands",
        because=(
            "rates of finished completions are about longer completions, and evaluation takes "
            "longer"
        ),
        test="Ask for one token and count the tokens.",
        where="08_rules",
        what=(
            "tokens generated per prompt by a program that counts, at strings of 256, as "
            "published → until EOS"
        ),
    ),
    Defect(
        key="schedule_per_epoch",
        source="rules",
        claim=(
            "The learning rate follows an inverse-square-root schedule with 1000 steps of warm-up."
        ),
        right=(
            "Where an epoch is one batch, as for all 128 strings of aNbN in batches of 128, both "
            "are the same."
        ),
        defect="The schedule moves once an epoch.",
        verdict="weaker",
        because="with many batches an epoch, the warm-up does not end",
        test="Write the learning rate beside the step into the log.",
        where="02_train",
        what=(
            "share of the peak rate after 20 000 steps of 141 an epoch, once an epoch → every step"
        ),
    ),
)
