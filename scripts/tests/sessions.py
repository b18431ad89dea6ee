"""What the pages show to be typed at a shell, as one session for each page.

A block of the language `console` has prompts and what the commands print; a block `sh` is only typed, and a block
`text` after it is what it prints. In what is printed, `…` stands for anything. Comments of a page say the rest:

- `<!-- not run: REASON -->` before a block, or `<!-- nothing here is run: REASON -->` for the rest of the page;
- `<!-- run before: COMMANDS -->`: what the page takes for granted at that place;
- `<!-- saved as NAME -->` before a block that is the text of a file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from testing.source import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
PART = re.compile(
    r"^ *<!-- (?P<kind>not run|nothing here is run|run before|saved as):?\s(?P<said>.*?)\s*-->$"
    r"|^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
SHELL = {"console", "sh"}
END = "=== the end of a step"

# What differs from one day to the next.
DIFFERENT = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{32}\b"), "ID"),
    (re.compile(r"127\.0\.0\.1:[0-9]+"), "127.0.0.1:PORT"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?"), "TIME"),
    (re.compile(r"\bRun [0-9]+"), "Run N"),
    (re.compile(r'(seconds("[:] ?|>))[0-9.]+'), r"\1SECONDS"),
    (re.compile(r"\b\d+m\d+\.\d+s"), "DURATION"),
    (re.compile(r"(Password: )\S+"), r"\1PASSWORD"),
    (re.compile(r"(TOKEN_\w+=)gAAAA\S+"), r"\1TOKEN"),
    (re.compile(r"(\bup +)\d+"), r"\1PID"),
    (re.compile(r"the lab '[\w-]+'"), "the lab"),
    (re.compile(r"\bmark: \S+"), "mark: MARK"),
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"[ \t]+"), " "),
)


@dataclass(frozen=True)
class Block:
    """Something between fences; `reason` says why it is not run, and is empty if it is."""

    page: Path
    line: int
    language: str
    text: str
    reason: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Step:
    """Something to type, and what it prints: None if that does not matter."""

    line: int
    typed: str
    printed: str | None


def shell_blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page that are to be typed at a shell."""
    yield from (part for part in _parts(page) if isinstance(part, Block) and part.language in SHELL)


def steps(page: Path) -> list[Step]:
    """Return the session of a page, less what says that it is not run."""
    found: list[Step] = []
    before: Block | Step | None = None
    for part in _parts(page):
        if isinstance(part, Step):
            found.append(part)
        elif part.language == "text" and isinstance(before, Block) and before.language == "sh" and not before.reason:
            found[-1] = Step(before.line, before.text, part.text)
        elif part.language in SHELL and not part.reason:
            found += _typed_at_prompts(part) if part.language == "console" else [Step(part.line, part.text, "")]
        before = part
    return found


def _parts(page: Path) -> Iterator[Block | Step]:
    """Yield the blocks of a page, and what its comments have typed."""
    text, reason, of_all, name = page.read_text(encoding="utf-8"), "", "", ""
    for match in PART.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        kind, said = match["kind"], match["said"]
        if kind == "run before":
            yield Step(line, f"{said}\n", None)
        elif kind:
            reason, of_all = (said, of_all) if kind == "not run" else (reason, of_all)
            of_all = said if kind == "nothing here is run" else of_all
            name = said if kind == "saved as" else name
        else:
            block = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
            if name:
                yield Step(line, f"cat >{name} <<'{END}'\n{block}{END}\n", None)
            yield Block(page, line, match["language"], block, reason or of_all)
            reason = name = ""


def _typed_at_prompts(block: Block) -> Iterator[Step]:
    for at_prompt in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        lines = at_prompt.splitlines(keepends=True)
        typed = next(number for number, line in enumerate(lines, 1) if not line.endswith("\\\n"))
        yield Step(block.line, "".join(lines[:typed]), "".join(lines[typed:]))


def script(found: list[Step]) -> str:
    """Return a shell script of a session, that prints the end of each step."""
    return "".join(f"{step.typed}echo '{END}'\n" for step in found)


def differences(found: list[Step], printed: str) -> list[str]:
    """Return where a session has printed something else than its page shows."""
    outputs = printed.split(f"{END}\n")
    pairs = zip(found, outputs, strict=False)
    wrong = [f"line {step.line}: {step.typed}{output}" for step, output in pairs if not _is_shown(step.printed, output)]
    return wrong + ([f"the session ended early: {outputs[-1]}"] if len(outputs) != len(found) + 1 else [])


def _is_shown(shown: str | None, output: str) -> bool:
    if shown is None:
        return True
    expected = ".*".join(re.escape(part) for part in _comparable(shown).split("…"))
    return re.fullmatch(expected, _comparable(output), re.DOTALL) is not None


def _comparable(text: str) -> str:
    for pattern, instead in DIFFERENT:
        text = pattern.sub(instead, text)
    return re.sub(r" +$", "", text, flags=re.MULTILINE).strip()
