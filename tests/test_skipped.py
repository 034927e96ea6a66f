"""The check that CI ends with finds every skipped test but those that lack the owners' data."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.skipped import unexcused

pytest_plugins = ["pytester"]


def report(pytester: pytest.Pytester, source: str) -> Path:
    pytester.makepyfile(source)
    file = pytester.path / "junit.xml"
    pytester.runpytest_subprocess(f"--junitxml={file}", "-p", "no:cacheprovider")
    return file


def test_a_skip_is_found_with_its_reason(pytester: pytest.Pytester) -> None:
    source = """
        import pytest
        def test_a(): pytest.skip('no act')
        @pytest.mark.skipif(True, reason='no Go')
        def test_b(): pass
        def test_c(): pass
    """
    found = unexcused(report(pytester, source))
    assert [line.rsplit("::", 1)[1] for line in found] == ["test_a: no act", "test_b: no Go"]


def test_a_whole_file_that_skips_itself_is_found(pytester: pytest.Pytester) -> None:
    assert len(unexcused(report(pytester, "import pytest\npytest.skip('not here', allow_module_level=True)"))) == 1


def test_missing_real_data_is_excused_and_nothing_else_passes_by_it(pytester: pytest.Pytester) -> None:
    source = "import pytest\ndef test_a(): pytest.skip('real data not present: shared/data')\ndef test_b(): pytest.skip('data')"
    assert [line.rsplit("::", 1)[1] for line in unexcused(report(pytester, source))] == ["test_b: data"]
