"""The one list of methods: what each needs, and that nothing heavy is imported to read it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from resample_ct.bundles.kinds import BUNDLES
from resample_ct.errors import OptionError
from resample_ct.reconstruct import methods
from resample_ct.reconstruct.classical import FBP
from resample_ct.reconstruct.methods import METHODS, MethodOptions, build_methods
from resample_ct.reconstruct.resample_settings import PRESETS
from resample_ct.run.job import Job
from resample_ct.run.networks import Models

DOCUMENT = Path(__file__).parents[2] / "docs" / "methods.md"


def test_methods_come_in_the_order_asked_for():
    assert list(build_methods(["tv", "fbp", "cgls"], {}, MethodOptions())) == ["tv", "fbp", "cgls"]


def test_filter_reaches_fbp():
    assert METHODS["fbp"].build({}, MethodOptions(filter="hann")) == FBP("hann")


def test_unknown_method_is_refused():
    with pytest.raises(OptionError, match="--method art: unknown, expected one of fbp, cgls"):
        build_methods(["fbp", "art"], {}, MethodOptions())
    with pytest.raises(OptionError, match="--method art: unknown"):
        Job(Path("study"), Path("out"), methods=("art",))


def test_unknown_kind_of_bundle_is_refused():
    with pytest.raises(OptionError, match="bundles: found vae, expected names of prior, fbp-unet"):
        Job(Path("study"), Path("out"), bundles={"vae": Path("vae")})


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.needs])
def test_learned_method_needs_its_networks(name):
    with pytest.raises(OptionError, match=f"method {name}: no .*, expected a bundle; give --"):
        METHODS[name].build({}, MethodOptions())


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_method_names_a_class_and_bundles_that_exist(method):
    class_name = method.made_by.partition(":")[2].partition(".")[0]
    assert isinstance(getattr(methods, class_name), type) and class_name in dir(methods)
    assert set(method.needs) <= BUNDLES.keys()
    assert method.title and method.summary.endswith(".")


def test_start_of_resample_needs_its_networks_too():
    needs = {
        preset: METHODS["resample"].needs_with(MethodOptions(settings=settings))
        for preset, settings in PRESETS.items()
    }
    assert needs["fast"] == ("prior", "fbp-unet", "refiner")
    assert needs["general"] == ("prior",)


def test_method_is_said_to_come_from_the_networks_that_it_runs():
    job = Job(Path("study"), Path("out"), methods=("fbp", "resample"), preset="fast")
    models = Models(dict.fromkeys(BUNDLES))
    assert list(models.behind(job, "fbp")) == []
    assert list(models.behind(job, "resample")) == ["prior", "fbp-unet", "refiner"]


def test_there_is_no_such_class():
    with pytest.raises(AttributeError, match="no attribute 'ART'"):
        _ = methods.ART


def test_every_method_is_in_the_documents():
    text = DOCUMENT.read_text()
    assert [name for name in METHODS if f"`{name}`" not in text] == []


def test_list_of_names_and_a_job_need_no_torch():
    script = (
        "import sys, resample_ct.run.job, resample_ct.commands.job_options\n"
        "from pathlib import Path\nresample_ct.run.job.Job(Path('a'), Path('b'))\n"
        "assert 'torch' not in sys.modules and 'monai' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
