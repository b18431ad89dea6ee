"""Two IdMs in one process, as the tests of two apps have them, each have a log of their own."""

from pathlib import Path
from urllib.request import urlopen

from testing.only_idm import only_idm


def test_each_counts_what_it_was_asked(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    with only_idm(folders[0]) as first, only_idm(folders[1]) as second, first.counting() as served:
        urlopen(f"{first.idm_url}/").close()
    assert served["idm"] == {"GET /": 1}
    assert second.requests_served()["idm"] == {}
