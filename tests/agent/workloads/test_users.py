"""Names of users from passwd files."""

import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattledger.agent.workloads.users import Users, passwd_names

PASSWD = b"""root:x:0:0:root:/root:/bin/bash
alice:x:1000:1000::/home/alice:/bin/bash
toor:x:0:0::/root:/bin/sh
+nis::::::
no number:x:many:0::/:
\xff\xfe:x:1001:1001::/:
:x:1002:1002::/:
short:x
huge:x:99999999999999999999:1::/:
"""


def test_the_first_name_of_a_uid_counts_and_lines_that_are_none_cost_no_other() -> None:
    assert passwd_names(PASSWD) == {0: "root", 1000: "alice", 1001: r"\xff\xfe"}


def test_an_unknown_user_goes_by_number(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_bytes(PASSWD)
    users = Users(tmp_path / "passwd")
    assert [users.name_of(uid) for uid in (1000, 0, 1234)] == ["alice", "root", "uid:1234"]


def test_a_user_who_is_new_is_found(tmp_path: Path) -> None:
    file = tmp_path / "passwd"
    file.write_bytes(PASSWD)
    users = Users(file)
    assert users.name_of(2000) == "uid:2000"
    fresh = tmp_path / "passwd+"
    fresh.write_bytes(PASSWD + b"bob:x:2000:2000::/home/bob:/bin/sh\n")
    os.replace(fresh, file)  # noqa: PTH105  (as useradd does)
    assert users.name_of(2000) == "bob"


def test_without_the_file_it_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    users = Users(tmp_path / "passwd")
    with caplog.at_level(logging.WARNING):
        assert [users.name_of(0), users.name_of(1)] == ["uid:0", "uid:1"]
    assert len(caplog.records) == 1
    (tmp_path / "passwd").write_bytes(PASSWD)
    assert users.name_of(0) == "root"


def test_the_file_of_this_host_names_root() -> None:
    assert Users(Path("/etc/passwd")).name_of(0) == "root"


@given(st.one_of(st.binary(), st.lists(st.sampled_from([b":", b"\n", b"a", b"1", b"\xb2", b"\xff"])).map(b"".join)))
def test_any_file_is_read(text: bytes) -> None:
    assert all(name for name in passwd_names(text).values())
