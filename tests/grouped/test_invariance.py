"""docs/invariance.md is what is measured: the invariance of W Section 4.3, part by part."""

import invariance


def test_the_page_is_what_the_command_writes():
    assert invariance.PAGE.read_text(encoding="utf-8") == invariance.page(), "run python tests/grouped/invariance.py"
