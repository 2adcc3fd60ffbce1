"""view.html as a file: what is in it, what is not, and what it refuses."""

from __future__ import annotations

import base64
import gzip
import json
import re

import nibabel as nib
import numpy as np
import pytest
from result_folder import AFFINE, save

from resample_ct.errors import OptionError, StudyError
from resample_ct.viewer import volumes
from resample_ct.viewer.page import write_viewer


def told(page):
    """What the page's script reads."""
    (text,) = re.findall(r'<script type="application/json" id="result">(.*?)</script>', page.read_text())
    return json.loads(text)


def embedded(page, name):
    """A volume of the page."""
    (text,) = re.findall(
        rf'<script type="text/plain" id="volume-{name}">(.*?)</script>', page.read_text()
    )
    return nib.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(text)))


def test_volumes_are_the_files_in_whole_hu_at_the_same_place(result, tmp_path):
    write_viewer(result, tmp_path / "view.html")
    for name in ("truth", "tv", "resample", "resample-spread"):
        file, shown = nib.load(result / f"{name}.nii.gz"), embedded(tmp_path / "view.html", name)
        assert np.abs(shown.get_fdata() - file.get_fdata()).max() <= 0.5
        np.testing.assert_array_equal(shown.affine, file.affine)


def test_page_asks_for_nothing_and_names_nobody(result, tmp_path):
    write_viewer(result, tmp_path / "view.html")
    text = (tmp_path / "view.html").read_text()
    assert re.findall(r"<(?:link|img|iframe|script[^>]*src)[^>]*>", text) == []
    assert "ZEBRA" not in text and "/scans" not in text
    assert "For research only, not for diagnosis" in text
    assert "Copyright (c) 2021, Niivue" in text


def test_figures_are_of_their_method_and_slice(result, tmp_path):
    write_viewer(result, tmp_path / "view.html")
    found = told(tmp_path / "view.html")
    assert found["slices"] == [9, 10, 11, 12, 13]
    assert [panel["title"] for panel in found["panels"]] == ["Truth", "TV", "ReSample"]
    assert [panel["spread"] for panel in found["panels"]] == [None, None, "resample-spread"]
    tv = found["panels"][1]["figures"]
    assert {number: row["psnr"] for number, row in tv.items()} == {str(9 + k): 30 + k for k in range(5)}


def test_a_long_volume_is_thinned_evenly_and_the_page_says_so(result, tmp_path, monkeypatch):
    monkeypatch.setattr(volumes, "PAGE_SLICES", 12)
    write_viewer(result, tmp_path / "view.html")
    found = told(tmp_path / "view.html")
    assert (found["slices"], found["total"]) == ([9, 11, 13], 5)
    shown, file = embedded(tmp_path / "view.html", "tv"), nib.load(result / "tv.nii.gz")
    assert np.abs(shown.get_fdata() - file.get_fdata()[..., ::2]).max() <= 0.5
    # The third slice of the page lies where the fifth of the volume does.
    np.testing.assert_allclose(shown.affine @ [0, 0, 2, 1], file.affine @ [0, 0, 4, 1])


def test_chosen_slices_and_methods_are_shown(result, tmp_path):
    write_viewer(result, tmp_path / "view.html", slices=range(11, 13), methods=["resample"])
    found = told(tmp_path / "view.html")
    assert found["slices"] == [11, 12] and found["left_out"] == ["TV"]
    shown = embedded(tmp_path / "view.html", "resample")
    np.testing.assert_allclose(shown.affine[:3, 3], [0, 0, 10])


def test_parts_of_an_unevenly_spaced_stack_are_shown_in_their_order(result, tmp_path):
    """A file for each evenly spaced run, of slices 9 to 11 and of 12 and 13, 100 mm further on."""
    whole = {}
    for path in sorted(result.glob("*.nii.gz")):
        name = path.name.removesuffix(".nii.gz")
        whole[name] = nib.load(path).get_fdata()
        save(whole[name][..., :3], result / f"{name}-slices-9-11.nii.gz")
        further = AFFINE.copy()
        further[2, 3] = 100.0
        save(whole[name][..., 3:], result / f"{name}-slices-12-13.nii.gz", further)
        path.unlink()
    write_viewer(result, tmp_path / "view.html")
    assert told(tmp_path / "view.html")["slices"] == [9, 10, 11, 12, 13]
    for name, hu in whole.items():
        assert np.abs(embedded(tmp_path / "view.html", name).get_fdata() - hu).max() <= 0.5


def test_files_that_are_not_of_the_figures_are_refused(result, tmp_path):
    records = json.loads((result / "metrics.json").read_text())
    (result / "metrics.json").write_text(json.dumps([r for r in records if r["slice"] != 10]))
    with pytest.raises(StudyError, match=r"found 5 slices in its NIfTI files, expected the 4 of"):
        write_viewer(result, tmp_path / "view.html")


def test_same_result_gives_the_same_page(result, tmp_path):
    for name in ("a.html", "b.html"):
        write_viewer(result, tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize(
    "asked, error, message",
    [
        ({"slices": range(8, 10)}, OptionError, "slice 8: not in the result, expected some of 9 to 13"),
        ({"slices": [9, 10, 13]}, OptionError, "unevenly spaced"),
        ({"methods": ["fbp"]}, OptionError, "method fbp: not in .*, expected one of tv, resample"),
        ({"methods": ["tv"] * 12}, OptionError, "found 12, expected at most 11"),
    ],
)
def test_what_the_result_does_not_have_is_refused(result, tmp_path, asked, error, message):
    with pytest.raises(error, match=message):
        write_viewer(result, tmp_path / "view.html", **asked)
    assert list(tmp_path.iterdir()) == [result]


def test_more_slices_than_a_page_holds_are_refused(result, tmp_path, monkeypatch):
    monkeypatch.setattr(volumes, "PAGE_SLICES", 12)
    with pytest.raises(OptionError, match="found 4, expected at most 3 of 4 volumes"):
        write_viewer(result, tmp_path / "view.html", slices=range(9, 13))


def test_a_folder_without_a_result_and_an_existing_page_are_refused(result, tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(StudyError, match="expected the output folder of `resample-ct reconstruct`"):
        write_viewer(tmp_path / "other", tmp_path / "view.html")
    (tmp_path / "view.html").touch()
    with pytest.raises(StudyError, match=r"view\.html: exists"):
        write_viewer(result, tmp_path / "view.html")
