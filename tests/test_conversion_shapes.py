"""Every shape to every form: what is lost is counted beforehand, and where nothing is, it comes back."""

from __future__ import annotations

import pytest
from datasets import disable_progress_bars
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_rows import rows_of, told

from hfclean.conversion import FORMS, Losses, convert, losses_of
from hfclean.errors import RestoreError, SchemaError
from hfclean.layout import Layout
from hfclean.schema import SHAPES
from hfclean.values import exact_dataset

disable_progress_bars()
REFUSED = "rows that do not fit, so that nothing is converted"


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_any_shape_goes_to_any_form_and_comes_back_or_says_what_it_loses(shape: str, data: st.DataObject) -> None:
    rows, to = data.draw(rows_of(shape)), data.draw(st.sampled_from([form for form in FORMS if form != "text"]))
    ds, losses = exact_dataset(rows), Losses()
    try:
        foreseen = losses_of(ds, to)
        there = convert(ds, to, losses=losses)
    except RestoreError:
        assert to in ("preference", "ranked", "kto")
        return
    except SchemaError:
        assert REFUSED in foreseen
        return
    assert foreseen == losses
    if to in SHAPES and not any(name.startswith("other columns") for name in losses):
        assert Layout().view(there.column_names).shape == to
    if not losses:
        back = convert(there, shape, losses=Losses())
        views = [Layout().settled(each).view(each.column_names) for each in (ds, back)]
        assert [told(row, views[1]) for row in back] == [told(row, views[0]) for row in ds]
