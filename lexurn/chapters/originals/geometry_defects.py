"""Defects of token geometry (nikitus20/llama-token-geometry) and strategies, in our own words."""

from lexurn.chapters.originals.records import Defect

DEFECTS = (
    Defect(
        key="padding_in_cosine",
        source="geometry",
        claim="The mean cosine of token vectors says how alike tokens become from layer to layer.",
        right=(
            "The cosine is computed correctly, without the diagonal; prompts of one length are "
            "not affected."
        ),
        defect=(
            "In the version with batches, positions of padding are averaged over as if they were "
            "tokens."
        ),
        verdict="weaker",
        because="in that version padded prompts look too alike; later ones have no padding",
        test="Lengthen the padding and ask for equal numbers.",
        where="10_geometry",
        what=(
            "mean cosine of 16 tokens in a batch of length 64, untrained models, with padding → "
            "without"
        ),
    ),
    Defect(
        key="bpe_without_merges",
        source="geometry",
        claim="One of the tokenizers is bpe.",
        right="The source says in a comment that it is simplified.",
        defect="It looks up whole words, spells all others, and merges nothing; spaces are lost.",
        verdict="weaker",
        because=(
            "perplexities by this tokenizer cannot be compared with those of a byte pair encoding"
        ),
        test="Decode what was encoded.",
        where="10_geometry",
        what="tokens per word, look-up of words → byte pair encoding",
    ),
    Defect(
        key="silent_fallback",
        source="geometry",
        claim="Every text can be encoded.",
        right="A program that stops at a strange letter would be a nuisance.",
        defect="What the tokenizer does not know becomes a question mark, without a warning.",
        verdict="stands",
        because="English prompts hardly have such letters",
        test="Encode two texts that differ in one strange letter.",
        where="10_geometry",
        what="encodings of four texts that differ in one symbol, look-up → bytes",
    ),
    Defect(
        key="post_norm",
        source="geometry",
        claim="Pre-norm and post-norm are compared.",
        right="The question is a good one, and an earlier version could compare them.",
        defect=(
            "At the last version the forward pass with post-norm and the training script stop "
            "with an error."
        ),
        verdict="not reproducible here",
        because="a program that stops has no number",
        test="Train every variant for one step in a test.",
        where="10_geometry",
        not_here=(
            "it is a property of scripts that we do not copy; here both placements are trained"
        ),
    ),
    Defect(
        key="norm_of_sum",
        source="geometry",
        claim="One of the variants has peri-norm.",
        right="A norm on both sides of a sub-layer is what the name means.",
        defect=(
            "The second norm is of the sum, not of the sub-layer's output, so that token norms "
            "cannot grow."
        ),
        verdict="undecidable",
        because="the variant that was measured is closer to post-norm",
        test="Measure the norms after a block.",
        where="10_geometry",
        what="relative spread of token norms after a block, norm of the sum → of the output",
    ),
    Defect(
        key="one_seed",
        source="strategies",
        claim=(
            "The account's weights correlate with the networks at .99 over steps and task "
            "diversities."
        ),
        right="The account is fitted on a part of the cells and tested on the rest.",
        defect="One seed per cell, and no intervals.",
        verdict="stands",
        because=(
            "with three seeds, the correlations of our models are about as high; whether they are "
            "evidence for the account is asked in chapter 6"
        ),
        test="Train a second seed.",
        where="06_strategies",
        what="range of relative distance over seeds within a cell, one seed → three",
    ),
)
