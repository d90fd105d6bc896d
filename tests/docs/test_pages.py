"""README and the command line's example pages say what running them says."""

import importlib.util
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("pages", Path(__file__).with_name("pages.py"))
pages = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(pages)


@pytest.mark.parametrize("page", pages.PAGES)
def test_page_is_what_its_commands_print(page):
    committed = (pages.ROOT / page).read_text()
    assert "```console\n$ " in committed or "```python\n" in committed
    fresh = pages.rendered(committed)
    assert pages.without_measurements(committed) == pages.without_measurements(fresh), \
        f"{page}: run `make docs` and look at the difference before you commit it"


def test_a_stale_page_is_noticed():
    page = "```python\nprint(2 + 2)\n```\n```\n5\n```\n"
    assert pages.rendered(page) == "```python\nprint(2 + 2)\n```\n```\n4\n```\n"


def test_table_of_methods_is_complete():
    from stepgauge.reference import METHODS

    readme = (pages.ROOT / "README.md").read_text()
    for name, module in METHODS.items():
        file = module.__name__.removeprefix("stepgauge.").replace(".", "/") + ".py"
        assert f"| `{name}` | {file} |" in readme, f"README's table: add a row for {name} in {file}"
