"""No site is worse with the plugin than without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.site import cases_documents, cases_files, cases_plugins, cases_theme
from tests.site.casekit import ALL_MODES, build_modes, faults

if TYPE_CHECKING:
    from tests.conftest import Site

CASES = cases_theme.CASES | cases_files.CASES | cases_documents.CASES | cases_plugins.CASES


QUICK = ("top", "domain", "folder", "relative", "host", "dropped", "dropped-host")


def look(site: Site, name: str, modes: tuple[str, ...]) -> None:
    case = CASES[name](site)
    case = case._replace(modes=tuple(mode for mode in case.modes if mode in modes))
    if not case.modes:
        pytest.skip("the site makes no sense in these modes")
    messages = build_modes(site, case)
    found = [f"{m}: {line}" for m in case.modes for line in faults(site, case, m, messages[m])]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", CASES)
def test_no_name_of_an_image_is_worse_with_the_plugin(site: Site, name: str) -> None:
    look(site, name, QUICK)


@pytest.mark.full
@pytest.mark.parametrize("name", CASES)
def test_nor_in_other_modes(site: Site, name: str) -> None:
    look(site, name, tuple(mode for mode in ALL_MODES if mode not in QUICK))
