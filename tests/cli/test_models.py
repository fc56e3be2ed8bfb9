"""`arise prototypes` and `arise models`."""


def test_prototypes_are_listed_and_found(arise):
    code, out, _ = arise("prototypes")
    assert code == 0
    assert sum(line.startswith("│") for line in out.splitlines()) == 108
    code, out, _ = arise("prototypes", "ALPHA-sm")
    assert code == 0
    assert sum(line.startswith("│") for line in out.splitlines()) == 1
    code, out, err = arise("prototypes", "no such class")
    assert (code, out, err) == (1, "", "arise: no class contains 'no such class'\n")


def test_models_are_listed(arise):
    code, out, _ = arise("models")
    assert code == 0
    for name in ("arise-108", "arise-108-paper", "arise-108-ideal"):
        assert name in out
    assert "from 0." in out
    assert "never" in out
