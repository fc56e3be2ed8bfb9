"""A new setting is one edit: a field of `MapSettings` appears in the core, ASE, the command line and OVITO."""

import subprocess
import sys

from tests import ROOT

SCRIPT = """
import importlib.util
import inspect
import sys

# The one edit: a line more in `arise_core/settings.py`, before anything is imported.
spec = importlib.util.find_spec("arise_core.settings")
text = open(spec.origin, encoding="utf-8").read()
line = '    overlap: float = option(0.5, label="Overlap (Å)", low=0.0, text="how far boxes overlap")\\n'
place = "    memory_limit: float = option("
assert text.count(place) == 1
module = importlib.util.module_from_spec(spec)
sys.modules["arise_core.settings"] = module
exec(compile(text.replace(place, line + place), spec.origin, "exec"), vars(module))

import arise_core as arise
from ase.build import bulk
from typer.testing import CliRunner
from arise_core.recognition import maps
from arise_core.settings import RecognitionSettings

seen = []
real = maps.map_steps
def watched(structure, model, boxes, sampling, *rest, **options):
    seen.append(boxes.overlap)
    return real(structure, model, boxes, sampling, *rest, **options)
maps.map_steps = watched

from arise_core.recognition import result
result.map_steps = watched
model = arise.load_model("arise-108")
structure = arise.build(arise.prototype("fcc"))
fast = {"stride": 6.0, "passes": 4}

# core
arise.strided_map(structure, model, overlap=0.1, **fast)
assert inspect.signature(arise.strided_map).parameters["overlap"].default == 0.5
# ASE
from ase_arise import AriseCalculator, annotate
annotate(bulk("Cu"), mode="local", overlap=0.2, **fast)
AriseCalculator(mode="local", overlap=0.3, **fast).get_property("arise_label", bulk("Cu"))
assert AriseCalculator.default_parameters["overlap"] == 0.5
# command line
from arise_cli.main import app
bulk("Cu").write("POSCAR")
help_text = CliRunner().invoke(app, ["map", "--help"], env={"COLUMNS": "200"}).output
assert "--overlap" in help_text and "how far boxes overlap" in help_text, help_text
done = CliRunner().invoke(app, ["map", "POSCAR", "--overlap", "0.4", "--stride", "6", "--passes", "4"])
assert done.exit_code == 0, done.output
# OVITO
arise.map_steps = watched
from ovito_arise import AriseModifier
from ovito.data import DataCollection
from ovito.pipeline import Pipeline, StaticSource
from ovito_arise.convert import to_pipeline
pipeline = to_pipeline(structure)
pipeline.modifiers.append(AriseModifier(overlap=0.6, tolerance=0.0, **fast))
pipeline.compute()
trait = AriseModifier().trait("overlap")
assert (trait.label, trait.ovito_group, trait.desc) == ("Overlap (Å)", "Boxes", "how far boxes overlap")
print(seen)
# and bad values are refused by name, everywhere
for call in (
    lambda: arise.strided_map(structure, model, overlap=-1.0),
    lambda: annotate(bulk("Cu"), overlap=-1.0),
    lambda: AriseModifier(overlap=-1.0),
):
    try:
        call()
    except Exception as error:
        assert "overlap" in str(error), error
    else:
        raise AssertionError("taken")
"""


def test_a_setting_that_is_added_appears_in_all_doors(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); exec(open('script.py').read())"],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[0.1, 0.2, 0.3, 0.4, 0.6]"
