"""The command line as a user meets it: real processes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from resample_ct import cli
from resample_ct.io.dicom_file import COMPRESSIONS
from resample_ct.operators.image.tasks import TASKS
from resample_ct.reconstruct.methods import METHODS
from resample_ct.reconstruct.resample_settings import PRESETS
from resample_ct.solvers.fbp import frequency_response


def call(*arguments):
    return subprocess.run(
        [sys.executable, "-c", "from resample_ct.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_help_lists_the_commands_without_loading_torch():
    script = (
        "import sys\nfrom resample_ct.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\nassert 'torch' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    for command in ("simulate", "reconstruct", "compare", "info", "fine-tune"):
        assert command in result.stdout


@pytest.mark.parametrize("method", ["fbp", "tv"])
def test_full_disk_is_one_line_and_leaves_nothing_that_looks_whole(method, sample_series, tmp_path):
    """The limit on a file's size stands for the disk: the system refuses the same write."""
    command = f"ulimit -f 100; exec {sys.executable} -m resample_ct reconstruct {sample_series} "
    command += f"--slices 10:12 --method {method} --out {tmp_path / 'out'}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "cannot be written (File too large), expected room on its disk" in result.stderr
    assert not (tmp_path / "out").exists()


def test_options_name_what_the_code_knows():
    """The command line repeats the names, because it must not load torch to print them."""
    choices = {
        option.name: option.type.choices
        for option in cli.reconstruct.params
        if hasattr(option.type, "choices")
    }
    assert set(choices["methods"]) == set(METHODS)
    compared = next(option for option in cli.compare.params if option.name == "preset")
    assert set(choices["preset"]) == set(compared.type.choices) == set(PRESETS)
    assert set(choices["compress"]) == set(COMPRESSIONS)
    tasks = next(option for option in cli.restore.params if option.name == "task")
    assert set(tasks.type.choices) == set(TASKS)
    for name in choices["fbp_filter"]:
        frequency_response(64, name)


def test_simulate_info_reconstruct(sample_series, tmp_path):
    sinogram, out = tmp_path / "s.h5", tmp_path / "out"
    result = call("simulate", sample_series, "--slices", "10:12", "--angles", 30, "--out", sinogram)
    assert result.returncode == 0, result.stderr
    assert "slices: 2" in call("info", sinogram).stdout
    result = call("reconstruct", sinogram, "--method", "fbp", "--method", "sirt", "--out", out)
    assert result.returncode == 0, result.stderr
    assert "sirt" in result.stdout and "Research only" in result.stdout
    assert len(json.loads((out / "metrics.json").read_text())) == 4
    assert len(list((out / "dicom" / "sirt").glob("*.dcm"))) == 2


def test_info_says_what_a_study_is_without_naming_the_patient(sample_series):
    result = call("info", sample_series)
    assert "slices: 30" in result.stdout and "512 x 512" in result.stdout
    assert "Lung_Dx-A0002" not in result.stdout


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("reconstruct", "{series}", "--out", "{tmp}/o", "--noise", "hum:3"), "--noise hum:3"),
        (("reconstruct", "{series}", "--out", "{tmp}", "--method", "fbp"), "exists"),
        (("reconstruct", "{tmp}", "--out", "{tmp}/o", "--method", "fbp"), "no CT slices found"),
        (("reconstruct", "{series}", "--out", "{tmp}/o", "--prior", "{tmp}"), "--prior"),
        (("reconstruct", "{series}", "--out", "{tmp}/o", "--set", "gama=3"), "--set gama=3"),
        (("reconstruct", "{series}", "--out", "{tmp}/o", "--device", "tpu"), "--device tpu"),
        (("reconstruct", "{series}", "--out", "{tmp}/o", "--series", "1.2.3"), "--series 1.2.3"),
        (("reconstruct", "{series}", "--out", "{tmp}/o", "--slices", "5:2"), "--slices 5:2"),
        (("restore", "{series}", "--out", "{tmp}", "--task", "inpainting"), "exists"),
        (("fine-tune", "--data", "{tmp}", "--hold-out", "A", "--out", "{tmp}/o"), "--data"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else value,
)
def test_mistakes_end_in_one_line_and_leave_nothing(sample_series, tmp_path, arguments, told):
    result = call(*(a.format(series=sample_series, tmp=tmp_path) for a in arguments))
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    line = [line for line in result.stderr.splitlines() if line.startswith("Error:")]
    assert len(line) == 1 and told in line[0]
    assert list(tmp_path.iterdir()) == []
