"""What did the originals get wrong? Each defect in this library's terms, and its correction.

A module isolates one defect. Its function returns a table of pairs (`effects.PAIRS`): for every
unit, such as an urn or a seed, the number with the defect and the number without it.

    audit, effects      the lists of defects and features as tables, and how large an effect is
    records             what an entry of the lists holds; `*_defects`, `features_*` are the lists
    stored              runs and tables of other chapters that are used again
    urns                untrained_row, one_more_ball, lexical_mode, table_draws, spreads, clamping,
                        recipe
    rules               batch_axis, transposed_mask, looks, pseudo_kl, same_data, pad_loss,
                        length_limit, epoch_schedule, descriptions, brackets
    coins               one_theta, first_orders, missing_bos, negation
    geometry            padding, word_pieces, norm_of_sum

No code of the originals is used; `audit` has the repositories and commits.
"""
