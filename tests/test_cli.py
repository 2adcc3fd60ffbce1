"""The command line as a user meets it: real processes."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from resample_ct import cli
from resample_ct.io.dicom_file import COMPRESSIONS
from resample_ct.operators.image.tasks import TASKS
from resample_ct.reconstruct.methods import METHODS
from resample_ct.reconstruct.resample_settings import PRESETS, PURPOSES
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


def commands(command, path=()):
    """Every command, with the words that call it."""
    if not isinstance(command, click.Group):
        return [(path, command)]
    context = click.Context(command)
    names = command.list_commands(context)
    return [c for name in names for c in commands(command.get_command(context, name), (*path, name))]


@pytest.mark.parametrize("path, command", commands(cli.main), ids=lambda value: str(value))
def test_every_option_is_explained(path, command):
    result = CliRunner().invoke(cli.main, [*path, "-h"])
    assert result.exit_code == 0 and "Usage:" in result.stdout
    unexplained = [o.opts for o in command.params if isinstance(o, click.Option) and not o.help]
    assert unexplained == []


def test_error_comes_without_the_readers_own_warnings(sample_series, tmp_path):
    (tmp_path / "in").mkdir()
    # Read as implicit VR, in which pydicom finds explicit VR.
    whole = next(sample_series.iterdir()).read_bytes()
    (tmp_path / "in" / "a.dcm").write_bytes(bytes(128) + b"DICM" + whole[400:])
    result = call("info", tmp_path / "in")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1, result.stderr


def test_log_holds_the_command_and_the_traceback_that_the_screen_does_not(sample_series, tmp_path):
    out = tmp_path / "out"
    command = ["reconstruct", str(sample_series), "--out", str(out), "--series", "1.2.3", "-v"]
    result = CliRunner().invoke(cli.main, command)
    assert result.exit_code == 1 and "Traceback" not in result.output
    log = (tmp_path / "out.log").read_text(encoding="utf-8")
    assert "Traceback" in log and "StudyError: --series 1.2.3" in log and "resample-ct 0." in log


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
    presets = {
        command: set(next(option for option in command.params if option.name == "preset").type.choices)
        for command in (cli.reconstruct, cli.compare, cli.restore)
    }
    assert presets[cli.reconstruct] == presets[cli.compare]
    # Those for CT, and those for images.
    assert presets[cli.reconstruct] | presets[cli.restore] == set(PRESETS)
    assert not presets[cli.reconstruct] & presets[cli.restore]
    assert set(choices["compress"]) == set(COMPRESSIONS)
    tasks = next(option for option in cli.restore.params if option.name == "task")
    assert set(tasks.type.choices) == set(TASKS)
    for name in choices["fbp_filter"]:
        frequency_response(64, name)


def test_methods_and_presets_are_a_line_each():
    runner = CliRunner()
    for command, names in (("methods", METHODS), ("presets", PRESETS)):
        lines = runner.invoke(cli.main, [command]).output.splitlines()
        assert [line.split()[0] for line in lines] == list(names)
    assert PURPOSES.keys() == PRESETS.keys()


@pytest.mark.parametrize("arguments", [("--method", "art"), ("--preset", "quick"), ("--set", "gama=1")])
def test_names_are_checked_before_anything_heavy_is_imported(sample_series, tmp_path, arguments):
    script = (
        "import sys\nfrom resample_ct.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as end: assert end.code\n"
        "assert 'torch' not in sys.modules and 'monai' not in sys.modules"
    )
    command = [sys.executable, "-c", script, "reconstruct", sample_series, "--out", tmp_path / "out"]
    result = subprocess.run([*command, *arguments], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert arguments[1] in result.stderr


def test_simulate_info_reconstruct(sample_series, tmp_path):
    sinogram, out = tmp_path / "s.h5", tmp_path / "out"
    result = call("simulate", sample_series, "--slices", "10:12", "--angles", 30, "--out", sinogram)
    assert result.returncode == 0, result.stderr
    assert "slices: 2" in CliRunner().invoke(cli.main, ["info", str(sinogram)]).stdout
    result = call("reconstruct", sinogram, "--method", "fbp", "--method", "sirt", "--out", out)
    assert result.returncode == 0, result.stderr
    assert "sirt" in result.stdout and "Research only" in result.stdout
    assert len(json.loads((out / "metrics.json").read_text())) == 4
    assert len(list((out / "dicom" / "sirt").glob("*.dcm"))) == 2


def test_info_says_what_a_study_is_without_naming_the_patient(sample_series):
    result = CliRunner().invoke(cli.main, ["info", str(sample_series)])
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
        (("convert", "README.md", "--out", "{tmp}/o"), "README.md: is no PyTorch checkpoint"),
        (("simulate", "{series}", "--out", "{tmp}"), "exists"),
        (("compare", "{series}", "--out", "{tmp}"), "exists"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else value,
)
def test_mistakes_end_in_one_line_and_leave_nothing(sample_series, tmp_path, arguments, told):
    given = [a.format(series=sample_series, tmp=tmp_path) for a in arguments]
    result = CliRunner().invoke(cli.main, given)
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    line = [line for line in result.stderr.splitlines() if line.startswith("Error:")]
    assert len(line) == 1 and told in line[0]
    assert list(tmp_path.iterdir()) == []


def commands(group, path=()):
    """Every command by the words that call it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def given(parameter, study, folder):
    """Words that a required parameter can be called with."""
    if not parameter.required:
        return []
    if isinstance(parameter, click.Argument):
        return [str(study) if getattr(parameter.type, "dir_okay", True) else __file__]
    return [parameter.opts[0], "inpainting" if parameter.name == "task" else str(folder / "o")]


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_no_option_of_any_command_takes_a_number_that_is_none(sample_series, tmp_path, value):
    tried = 0
    for words, command in commands(cli.main):
        needed = [
            word for parameter in command.params for word in given(parameter, sample_series, tmp_path)
        ]
        for parameter in command.params:
            if isinstance(parameter.type, click.FloatRange | click.types.FloatParamType):
                option = parameter.opts[0]
                result = CliRunner().invoke(cli.main, [*words, *needed, option, value])
                assert result.exit_code == 2 and option in result.stderr, (words, option, result.output)
                assert "finite number" in result.stderr or "is not in the range" in result.stderr
                tried += 1
    assert tried > 10 and list(tmp_path.iterdir()) == []
