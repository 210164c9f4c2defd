"""Defects of the experiments on urns (alexkstern/Lexurn), in our own words; see `records`."""

from lexurn.chapters.originals.records import Defect

DEFECTS = (
    Defect(
        key="missing_reference",
        source="urns",
        claim=(
            "Lexical invariance dramatically improves generalization: a lexical model scores lower"
            " than a normal one on fresh urns."
        ),
        right=(
            "Both models are scored on the same fresh sequences, and the difference of the scores"
            " is large and real."
        ),
        defect=(
            "A predictor that has memorized all but the names of the colours is not among the "
            "references."
        ),
        verdict="undecidable",
        because=(
            "lexical models do predict fresh urns better, but this score cannot tell whether they "
            "count or memorize up to names"
        ),
        test=(
            "Score every predictor that the claim has to exclude, exactly, before any model is "
            "trained."
        ),
        where="04_analysis",
        what="score of lexical models with the published tables → of S for the same urn",
    ),
    Defect(
        key="untrained_row",
        source="urns",
        claim="The headline is scored after 30 balls.",
        right="The score needs long sequences, and 30 balls are enough to see an urn.",
        defect=(
            "In training the 30th ball is only predicted, never read, so its position was never "
            "trained."
        ),
        verdict="stands",
        because="in our models an untrained last position hardly moves the score",
        test=(
            "Ask for the gradient of the loss by every parameter; one that is always zero is not "
            "trained."
        ),
        where="02_train",
        what="score of normal and lexical models with an untrained last position → trained",
    ),
    Defect(
        key="one_more_ball",
        source="urns",
        claim=(
            "The prediction is compared with the frequencies of the balls that the model has seen."
        ),
        right="Comparing with frequencies in the context needs no knowledge of the fresh urn.",
        defect="The model has read all 30 balls, the frequencies count the first 29.",
        verdict="stands",
        because="the shift adds a few thousandths of a nat, also to the best counter",
        test="Score a predictor that repeats its frequencies; its score must be zero.",
        where="04_analysis",
        what="score of S, shifted by one ball → not shifted",
    ),
    Defect(
        key="three_changes",
        source="urns",
        claim="Lexical and normal models differ by lexical invariance.",
        right=(
            "The random table per sequence is the idea of the source that it describes, and it "
            "works as described."
        ),
        defect=(
            "The same switch also ties the read-out to the table, removes its bias, and starts "
            "with logits of order d."
        ),
        verdict="undecidable",
        because=(
            "the source does not separate invariance from a start that is certain and wrong; in "
            "our models its difference remains without that start"
        ),
        test=(
            "Change one setting at a time, and compare the loss before training with that of "
            "uniform predictions."
        ),
        where="05_names",
        what=(
            "loss of an untrained lexical model of width 128, vectors of norm √d → of norm 1 "
            "(nats a ball)"
        ),
    ),
    Defect(
        key="table_draws",
        source="urns",
        claim="Scores of a lexical model are given to two decimals.",
        right="A new table for every sequence is what lexical invariance means, in evaluation too.",
        defect=(
            "The tables of an evaluation are drawn without a seed, so that a second evaluation "
            "gives another score."
        ),
        verdict="stands",
        because="over draws, the score moves far less than the published difference",
        test="Evaluate twice and ask for equality.",
        where="03_evaluate",
        what="range of the score over evaluations, unseeded → seeded",
    ),
    Defect(
        key="spread_as_error",
        source="urns",
        claim="The lexical model improves the score by 73 %.",
        right=(
            "Means come with a spread, and the lexical score is lower for every training urn that"
            " we tried."
        ),
        defect=(
            "± is the standard deviation over sequences of one seed and one training urn; it is "
            "no uncertainty."
        ),
        verdict="weaker",
        because="the direction holds, but the size of the improvement depends on the training urn",
        test="Repeat the experiment with another urn and compare the change with the error bar.",
        where="03_evaluate",
        what=(
            "coverage of a nominal 95 % interval, if 250 sequences were taken for independent "
            "(which the source does not do) → with 10 fresh urns"
        ),
    ),
    Defect(
        key="no_memorizer",
        source="urns",
        claim="A normal model memorizes its training urn.",
        right=(
            "A memorizing predictor and a relative distance are defined in the code, and defined "
            "correctly."
        ),
        defect="No run computes them; models are compared with counting alone.",
        verdict="stands",
        because=(
            "our normal models score like M, and chapter 4 shows that they capture nearly all of "
            "M's advantage"
        ),
        test="List what every reported number was compared with.",
        where="04_analysis",
        what="score of normal models → of M for the same urn",
    ),
    Defect(
        key="clamped_distance",
        source="urns",
        claim="A relative distance says how far a model is from G (−1) and from M (1).",
        right="Dividing by the distance of the two ends makes urns comparable.",
        defect=(
            "The value is cut off at −1 and 1, where it leaves this range easily (also in "
            "rational-icl)."
        ),
        verdict="weaker",
        because=(
            "on many urns S, which has memorized all but names, is below −1 and counts as exactly G"
        ),
        test="Count how often a value is at the limit.",
        where="04_analysis",
        what="relative distance of S between G and M on fresh urns, cut off → as it is",
    ),
    Defect(
        key="configurations",
        source="urns",
        claim="Four configurations start four experiments.",
        right="Scales and seeds are written down, which is rare.",
        defect="None of them can start, because keys are missing or stand in another section.",
        verdict="not reproducible here",
        because="a program that stops has no number",
        test="Start every shipped configuration for one step in a test.",
        where="parameters",
        not_here=(
            "it is a property of files that we do not copy; our own files are read strictly, and "
            "all are started in tests"
        ),
    ),
    Defect(
        key="device_cpu",
        source="urns",
        claim="The device can be chosen.",
        right="The choice auto works.",
        defect="device=cpu does not work.",
        verdict="not reproducible here",
        because="a program that stops has no number",
        test="Run one step on every device that a setting allows.",
        where="run",
        not_here=(
            "it is a property of a script that we do not copy; everything in this book runs with "
            "device cpu"
        ),
    ),
)
