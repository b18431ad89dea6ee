"""Every block of the documentation that shows something to be typed is run by a test, or says why not."""

from pathlib import Path

import pytest

from scripts.tests.sessions import END, PAGES, ROOT, differences, shell_blocks, steps
from scripts.tests.test_sessions import SESSIONS

RUN = [ROOT / page for page in SESSIONS]


def test_each_is_run_or_says_why_not() -> None:
    blocks = [block for page in PAGES for block in shell_blocks(page)]
    assert len(blocks) > 90
    neither = [str(block) for block in blocks if not block.reason and block.page not in RUN]
    assert not neither, (
        f"{', '.join(neither)}: have scripts/tests/test_sessions.py run the page, or put <!-- not run: REASON --> "
        "before the block"
    )


def test_what_is_run_is_typed_at_a_users_prompt() -> None:
    console = [block for page in RUN for block in shell_blocks(page) if block.language == "console"]
    others = [str(block) for block in console if not block.reason and not block.text.startswith("$ ")]
    assert not others, f"{', '.join(others)}: only what begins with the prompt $ can be run"


PAGE = """\
<!-- run before: cd elsewhere -->
```console
$ echo one \\
    two
one two
$ date
2026-11-23T01:53:49Z
```

<!-- saved as notes.txt -->
```text
three
```

```sh
cat notes.txt
```

```text
th…e
```

<!-- not run: it takes too long -->
```console
$ sleep 1000
```

```sh
true
```
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page of every kind of block."""
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    return page


def test_a_page_is_one_session_and_what_it_prints_is_compared(page: Path) -> None:
    found = steps(page)
    shown = [(step.typed, step.printed) for step in found if step.printed is not None]
    assert shown == [
        ("echo one \\\n    two\n", "one two\n"),
        ("date\n", "2026-11-23T01:53:49Z\n"),
        ("cat notes.txt\n", "th…e\n"),
        ("true\n", ""),
    ]
    assert [block.reason for block in shell_blocks(page)] == ["", "", "it takes too long", ""]

    end = f"{END}\n"
    assert differences(found, end.join(["", "one two\n", "2027-01-01T00:00:00Z\n", "", "three", "", ""])) == []
    wrong = differences(found, end.join(["", "one\n", "2027-01-01T00:00:00Z\n", "", "three", "true: not found\n", ""]))
    assert wrong == ["line 2: echo one \\\n    two\none\n", "line 28: true\ntrue: not found\n"]
    assert "the session ended early" in differences(found, end.join(["", "one two\n"]))[-1]
