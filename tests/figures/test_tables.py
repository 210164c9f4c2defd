"""Tables for readers: few columns, three digits, words for what is missing, and the data as CSV."""

import base64
import io
import re

import pandas as pd
import pytest

import lexurn
from lexurn.base.errors import ParameterError
from lexurn.figures import tables
from lexurn.measures.intervals import Interval

NAN = float("nan")
SCORES = pd.DataFrame(
    {
        "model": ["normal", "<lexical>", "permuted"],
        "loss": [1.23456, 0.912345, NAN],
        "d_G": [(0.0216, 0.0006), (0.5, NAN), (NAN, NAN)],
        "d_M": [(0.0316, 0.0006), (0.4, 0.01), (0.3, 0.01)],
        "r2": [0.98765, -20806.0, 0.5],
        "steps": [1000, 2000, 3000],
    }
)
COLUMNS = {
    "model": "model",
    "loss": "loss (nats)",
    "d_G": "to G (nats)",
    "d_M": "to M (nats)",
    "r2": "R²",
    "steps": "steps",
}


def test_numbers_are_for_people_and_what_is_nearest_is_bold():
    table = tables.build(SCORES, COLUMNS, nearest=["d_G", "d_M"], floor=-1.0)
    assert table.texts.iloc[0].tolist() == [
        *("normal", "1.23", "0.02160 ± 0.00060", "0.03160 ± 0.00060", "0.988", "1,000")
    ]
    assert table.texts.iloc[1].tolist() == [
        *("<lexical>", "0.912", "0.500 (one value)", "0.400 ± 0.010", "below -1", "2,000")
    ]
    assert table.texts["loss (nats)"][2] == table.texts["to G (nats)"][2] == "undetermined"
    page = table._repr_html_()
    bold = ["0.02160 ± 0.00060", "0.400 ± 0.010", "0.300 ± 0.010"]
    assert re.findall("<strong>(.*?)</strong>", page) == bold
    for text in ("NaN", "nan", "± ?", ">0 ± 0", "-0.0", "20806", "<lexical>"):
        assert text not in re.sub('href="[^"]*"', "", page)
    assert "&lt;lexical&gt;" in page


def test_a_table_is_accessible_and_has_a_flat_header():
    nested = SCORES.pivot(index="model", columns="steps", values=["loss"]).iloc[:, :2]
    page = tables.build(nested, caption="Models lose less with more steps.")._repr_html_()
    assert re.findall('<th scope="col">(.*?)</th>', page) == ["model", "loss, 1000", "loss, 2000"]
    assert page.count('<th scope="row">') == 3 and "<details>" not in page
    assert "<caption>Models lose less with more steps.</caption>" in page


def test_the_numbers_can_be_downloaded_in_full_precision():
    page = tables.build(SCORES, COLUMNS, name="scores")._repr_html_()
    name, data = re.search('download="(.*?)" href="data:text/csv;base64,(.*?)"', page).groups()
    stored = pd.read_csv(io.BytesIO(base64.b64decode(data)))
    assert name == "scores.csv" and stored["loss (nats)"][0] == 1.23456
    assert stored["to G (nats)"][0] == 0.0216 and stored["R²"][1] == -20806


@pytest.mark.parametrize(("n_rows", "folded"), [(12, False), (13, True)])
def test_long_tables_are_folded_and_can_be_filtered(n_rows, folded):
    table = pd.DataFrame({"row": range(n_rows), "value": 1.0})
    page = tables.build(table, caption="Losses fall.")._repr_html_()
    assert ("<details><summary>Losses fall. (13 rows)</summary>" in page) == folded
    assert ('<label>Filter rows: <input type="search"' in page) == folded


def test_what_a_table_cannot_show_is_refused():
    wide = pd.DataFrame([range(7)], columns=list("abcdefg"))
    with pytest.raises(ParameterError, match="table wide: 7 columns, over 6; choose the ones"):
        tables.build(wide, name="wide")
    with pytest.raises(ParameterError, match="no column los; did you mean loss"):
        tables.build(SCORES, {"los": "loss"})


def test_a_table_is_shown_under_its_short_name(capsys):
    lexurn.table(SCORES, {"model": "model", "loss": "loss (nats)"}, caption="Losses.")
    assert capsys.readouterr().out.startswith("Losses.\n")


def test_an_index_is_a_column_where_it_says_something():
    table = pd.DataFrame({"loss": [1.0, 2.0]}, index=["G", "M"])
    assert list(tables.build(table).texts) == ["of", "loss"]
    assert list(tables.build(table.rename_axis("predictor")).texts) == ["predictor", "loss"]
    assert list(tables.build(table.reset_index(drop=True)[1:]).texts) == ["loss"]
    assert tables.build(table.rename_axis(columns="nats a ball")).caption == "nats a ball"


def test_cells_of_other_kinds_are_shown_as_they_print():
    cells = [Interval(0.5, 0.4, 0.6, 9), None, True, "", 3]
    table = tables.build(pd.DataFrame({"cell": pd.Series(cells, dtype=object)}))
    wanted = ["0.500 [0.400, 0.600]", "undetermined", "yes", "–", "3"]
    assert table.texts["cell"].tolist() == wanted
