"""The operator: selected CT series in, their derived series as DICOM files out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monai.deploy.core import Fragment, Operator, OperatorSpec

from resample_ct.run.job import Job
from resample_ct.run.pipeline import reconstruct


class ReconstructionOperator(Operator):
    """Simulates sparse views of each selected CT series and reconstructs them.

    Named input:
        study_selected_series_list: of the SDK's DICOMSeriesSelectorOperator.

    File output:
        `<output_folder>/<SeriesInstanceUID>/`: what `resample-ct reconstruct` writes, `dicom/` with the
        derived series among it.
    """

    def __init__(
        self,
        fragment: Fragment,
        *args: Any,
        input_folder: Path,
        output_folder: Path,
        options: dict[str, Any],
        **kwargs: Any,
    ) -> None:
        """Make an operator of a fragment.

        Args:
            fragment: the application.
            *args: of the SDK.
            input_folder: holds the files of the selected series.
            output_folder: gets one new folder a series.
            options: fields of `resample_ct.run.job.Job`, as `methods`, `preset`, `n_angles` or `device`.
            **kwargs: of the SDK.
        """
        self._input_folder = input_folder
        self._output_folder = output_folder
        self._options = options
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Declare the input."""
        spec.input("study_selected_series_list")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Reconstruct every series. Raises ResampleCTError for one that cannot be."""
        for study in op_input.receive("study_selected_series_list"):
            for selected in study.selected_series:
                uid = str(selected.series.SeriesInstanceUID)
                out = self._output_folder / uid
                reconstruct(Job(self._input_folder, out, series=uid, **self._options), resume=False)
