"""Both styles of Kayran's API, from the form to the receipt and back."""

from __future__ import annotations

import pytest

from bot.sandbox.cast import ADMIN
from bot.slack.receipt import UNDO_ACTION_ID
from tests.stage import stage as a_stage


@pytest.mark.parametrize("style", ["kayran", "cytrix"])
def test_a_change_and_its_undo(environ: dict[str, str], style: str) -> None:
    """What is set is what was chosen, reading back shows it, and Undo puts it back."""
    with a_stage({**environ, "KAYRAN_API_STYLE": style}) as stage:
        stage.kayran.style = style
        stage.have_all_reported()
        first = stage.change(ADMIN, mailStop=True, mailDelete=True)
        set_then = {name for name, on in stage.kayran.flags.items() if on}
        stage.press(first, UNDO_ACTION_ID)

        assert set_then == {"mailStop", "mailDelete"}
        assert "*Stop* and *Delete* are on, checked in Kayran." in first.text
        assert "*Stop* and *Delete* are off, checked in Kayran." in stage.result(2).text
        assert not any(stage.kayran.flags.values())


@pytest.mark.parametrize(("spoken", "understood"), [("kayran", "cytrix"), ("cytrix", "kayran")])
def test_the_wrong_style(environ: dict[str, str], spoken: str, understood: str) -> None:
    """A server that refuses the other style's calls changes nothing, and the thread gives its words."""
    with a_stage({**environ, "KAYRAN_API_STYLE": spoken}) as stage:
        stage.kayran.style = understood
        result = stage.change(ADMIN, mailStop=True)

        assert "❌ Kayran refused: `Not valid" in result.text
        assert not any(stage.kayran.flags.values())
