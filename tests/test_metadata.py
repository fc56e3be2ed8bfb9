"""What is said of the software is the same in all files that say it."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
import yaml

from arise_core.version import VERSION
from tests import ROOT

CORE = ROOT / "distributions" / "arise-core"


def project(path):
    return tomllib.loads((path / "pyproject.toml").read_text(encoding="utf-8"))


WHOLE, LEAN = project(ROOT)["project"], project(CORE)["project"]
DOI = "10.1038/s41467-021-26511-5"


@pytest.mark.parametrize("field", ["license", "license-files", "requires-python", "authors", "urls"])
def test_both_distributions_say_the_same(field):
    assert WHOLE[field] == LEAN[field]


def test_each_distribution_has_the_licence():
    assert (CORE / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("of", [WHOLE, LEAN], ids=lambda p: p["name"])
def test_classifiers_are_the_versions_of_python(of):
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", of["requires-python"]).groups()
    found = [c.rpartition("3.")[2] for c in of["classifiers"] if "Python :: 3." in c]
    assert found == [str(k) for k in range(int(low), int(high))]
    assert "Typing :: Typed" in of["classifiers"]


def test_extras_of_the_whole_are_those_of_the_core():
    hook = project(ROOT)["tool"]["hatch"]["metadata"]["hooks"]["custom"]
    needed = hook["dependencies"] + [r for extra in hook["optional-dependencies"].values() for r in extra]
    named = {e for r in needed if r.startswith("arise-core[") for e in r.split("[")[1].rstrip("]").split(",")}
    assert named <= set(LEAN["optional-dependencies"])
    own = {e for r in needed if r.startswith("ovito-arise[") for e in r.split("[")[1].rstrip("]").split(",")}
    assert own <= set(hook["optional-dependencies"])


def test_codemeta_and_citation_are_those_of_the_package():
    meta = json.loads((ROOT / "codemeta.json").read_text(encoding="utf-8"))
    cite = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert meta["name"] == WHOLE["name"]
    assert cite["title"].startswith(WHOLE["name"])
    assert meta["version"] == str(cite["version"]) == VERSION
    assert f"version = {{{VERSION}}}" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert meta["description"] == WHOLE["description"]
    assert meta["license"].rpartition("/")[2] == cite["license"] == WHOLE["license"]
    authors = [a["name"] for a in WHOLE["authors"]]
    assert [a["name"] for a in meta["author"]] == [a["name"] for a in cite["authors"]] == authors
    assert meta["runtimePlatform"] == f"Python {WHOLE['requires-python']}"
    assert meta["keywords"] == WHOLE["keywords"]
    paper, article = cite["preferred-citation"], meta["referencePublication"]
    assert paper["doi"] == DOI == article["@id"].removeprefix("https://doi.org/")
    assert WHOLE["urls"]["Paper"] == article["@id"]
    assert [a["family-names"] for a in paper["authors"]] == [a["familyName"] for a in article["author"]]
    assert paper["title"] == article["name"]


def test_the_conda_recipe_needs_what_the_core_needs():
    text = (ROOT / "distributions" / "conda" / "recipe.yaml").read_text(encoding="utf-8")
    recipe = yaml.safe_load(text.replace("${{ ", "<").replace(" }}", ">"))
    assert recipe["context"]["version"] == VERSION
    names = {"torch": "pytorch", "tqdm": "tqdm", "matplotlib": "matplotlib-base"}
    wanted = []
    for requirement in LEAN["dependencies"]:
        name, _, low = requirement.partition(">=")
        wanted.append(f"{names.get(name, name)} >={low}")
    assert sorted(recipe["requirements"]["run"][1:]) == sorted(wanted)


def test_the_changelog_begins_with_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", text, re.MULTILINE)[1] == VERSION
