"""The example in docs/images.md runs, and says what the page says."""

import re

import pytest

from tests import ROOT

PAGE = (ROOT / "docs" / "images.md").read_text(encoding="utf-8")


def test_the_example(capsys):
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    found: dict = {}
    exec(compile(block, "docs/images.md", "exec"), found)
    assert found["found"].label == "hexagonal_BN_monolayer"
    assert found["found"].doubt < 0.05
    assert capsys.readouterr().out.startswith("hexagonal_BN_monolayer")


def test_numbers_of_the_page_are_those_of_the_code():
    from arise_images.elements import APART, SHARE
    from arise_images.layers import CLOSE, DOUBTFUL, SAME
    from arise_images.settings import ColumnSettings

    for text in (
        f"fainter than {ColumnSettings.faintest:.0%}".replace("%", " %"),
        f"closer than {CLOSE} Å",
        f"within {SAME:.0%}".replace("%", " %"),
        f"more than {DOUBTFUL} bit",
        f"above {APART}, each at least {SHARE:.0%}".replace("%", " %"),
    ):
        assert text in PAGE


@pytest.mark.parametrize("option", ["--mask", "--layer", "--elements", "--similarity", "--strict", "--plot"])
def test_options_are_explained(option):
    assert option in PAGE
