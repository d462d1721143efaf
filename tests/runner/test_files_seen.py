"""Which files two implementations must not share."""

import os

from benchmarks.runner.files_seen import FilesSeen
from benchmarks.worker import requests
from benchmarks.worker.used_files import Used
from tests.helpers.sessions import Answering, row_of


def test_implementations_that_share_what_was_built_meanwhile_are_refused(tmp_path):
    """As where two files build an extension into one folder, by one name: it holds the code of one of them."""
    before, meanwhile, module = (tmp_path / name for name in ("before.so", "meanwhile.so.1", "meanwhile.py"))
    before.touch()
    os.utime(before, (1, 1))
    files = FilesSeen()
    for path in (meanwhile, module):
        path.touch()
        os.utime(path, (files.began + 1, files.began + 1))
    uses = {"one": [meanwhile, before], "two": [meanwhile], "three": [before], "four": [module], "five": [module]}
    for name, used in uses.items():
        made = [str(path) for path in used if path.name == "meanwhile.py"]
        hashes = {str(path): "hash" for path in used if str(path) not in made}
        arm = Answering({requests.UsedFiles: Used(hashes, made)})
        arm.name = name
        files.note(arm)
    rows = [row_of(name) for name in uses]
    files.refuse_shared(rows)
    assert [row.status for row in rows] == ["error", "error", "ok", "error", "error"]
    assert str(meanwhile) in rows[0].reason
