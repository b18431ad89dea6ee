"""What scripts/test runs, and what it leaves running."""

import pytest

from scripts.tests.checkout import Checkout

pytestmark = pytest.mark.process

# Replaces scripts/lab: it writes down its arguments, and is up if the file says so.
LAB = """\
#!/usr/bin/env bash
printf '%s %s\\n' "$FLAVORSYNC_LAB" "$*" >>"{folder}/lab.log"
case $1 in
    status) [[ -e "{folder}/up" ]] ;;
    up) [[ ! -e "{folder}/no-lab" ]] ;;
esac
"""


WORKERS = "-n auto --dist loadscope"


def _told_the_lab(checkout: Checkout) -> list[str]:
    log = checkout.folder / "lab.log"
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def _pytest_arguments(checkout: Checkout) -> list[str]:
    return [call.removeprefix("-m pytest").strip() for call in checkout.calls if call.startswith("-m pytest")]


@pytest.fixture(autouse=True)
def _lab(checkout: Checkout) -> None:
    checkout.put_script("lab", LAB.format(folder=checkout.folder))


def test_everything_is_set_up_and_the_lab_goes_with_the_tests(checkout: Checkout) -> None:
    answer = checkout.run("test", "flavors", "-k", "promoted")
    assert answer.returncode == 0, answer.stderr
    assert checkout.installed() == ["requirements-dev.txt"]
    assert _pytest_arguments(checkout) == [f"{WORKERS} --tier=default flavors -k promoted"]
    assert _told_the_lab(checkout) == ["test status", "test up", "test down"]


def test_fast_leaves_out_the_lab(checkout: Checkout) -> None:
    answer = checkout.run("test", "--fast", "-x")
    assert answer.returncode == 0, answer.stderr
    assert _pytest_arguments(checkout) == [f"{WORKERS} --tier=fast -x"]
    assert _told_the_lab(checkout) == []


def test_without_the_labs_tests_there_is_no_lab(checkout: Checkout) -> None:
    answer = checkout.run("test", "-m", "not lab")
    assert answer.returncode == 0, answer.stderr
    assert _pytest_arguments(checkout) == [f"{WORKERS} --tier=default -m not lab"]
    assert _told_the_lab(checkout) == []


def test_the_thorough_tier_has_the_lab_too(checkout: Checkout) -> None:
    answer = checkout.run("test", "--thorough", "-m", "database")
    assert answer.returncode == 0, answer.stderr
    assert _pytest_arguments(checkout) == [f"{WORKERS} --tier=thorough -m database"]
    assert "test up" in _told_the_lab(checkout)


def test_failing_tests_are_the_scripts_failure_and_take_the_lab_down_all_the_same(checkout: Checkout) -> None:
    (checkout.folder / "no-tests").touch()
    answer = checkout.run("test")
    assert answer.returncode == 1
    assert _told_the_lab(checkout)[-1] == "test down"


def test_a_lab_that_was_up_stays_up(checkout: Checkout) -> None:
    (checkout.folder / "up").touch()
    assert checkout.run("test").returncode == 0
    assert _told_the_lab(checkout) == ["test status"]


def test_a_lab_that_does_not_come_up_is_one_line_and_no_tests(checkout: Checkout) -> None:
    (checkout.folder / "no-lab").touch()
    answer = checkout.run("test")
    assert answer.returncode == 1
    assert answer.stderr == (
        "test: the lab did not start: see its messages above (scripts/test --fast does not need it).\n"
    )
    assert _pytest_arguments(checkout) == []
    assert _told_the_lab(checkout)[-1] == "test down"


def test_a_second_run_installs_nothing(checkout: Checkout) -> None:
    checkout.run("test", "--fast")
    checkout.run("test", "--fast")
    assert checkout.installed() == ["requirements-dev.txt"]
    assert len(_pytest_arguments(checkout)) == 2


def test_mariadb_brings_its_driver_and_a_developers_env_file_does_not(checkout: Checkout) -> None:
    url = "mysql://root@127.0.0.1:1/flavorsync"
    (checkout.root / ".env").write_text(f"DATABASE_URL={url}\n", encoding="utf-8")
    checkout.run("test", "--fast")
    assert checkout.installed() == ["requirements-dev.txt"]
    checkout.run("test", "--fast", DATABASE_URL=url)
    assert checkout.installed() == ["requirements-dev.txt", "requirements-mysql.txt"]


@pytest.mark.thorough
def test_serving_after_testing_installs_nothing_more(checkout: Checkout) -> None:
    checkout.run("test", "--fast")
    checkout.serve().stop()
    assert checkout.installed() == ["requirements-dev.txt"]
