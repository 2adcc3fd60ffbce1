"""ReSample-CT as a MONAI Deploy application: a folder of DICOM in, derived CT series out."""

from __future__ import annotations

import json
from pathlib import Path

from monai.deploy.conditions import CountCondition
from monai.deploy.core import Application
from monai.deploy.operators import DICOMDataLoaderOperator, DICOMSeriesSelectorOperator
from reconstruction_operator import ReconstructionOperator

# What is reconstructed, and how; the rest is as `resample-ct reconstruct` has it by default.
RULES = {"selections": [{"name": "CT", "conditions": {"Modality": "(?i)^CT$"}}]}
OPTIONS = {"methods": ("resample",), "preset": "fast", "spread_series": True}


class App(Application):
    """Loads studies, selects their CT series, reconstructs each."""

    def compose(self) -> None:
        """Connect the operators."""
        context = Application.init_app_context(self.argv)
        input_folder = Path(context.input_path)
        loader = DICOMDataLoaderOperator(
            self, CountCondition(self, 1), input_folder=input_folder, name="loader"
        )
        selector = DICOMSeriesSelectorOperator(
            self, rules=json.dumps(RULES), all_matched=True, name="selector"
        )
        reconstruction = ReconstructionOperator(
            self,
            input_folder=input_folder,
            output_folder=Path(context.output_path),
            options=OPTIONS,
            name="reconstruction",
        )
        self.add_flow(loader, selector, {("dicom_study_list", "dicom_study_list")})
        self.add_flow(
            selector, reconstruction, {("study_selected_series_list", "study_selected_series_list")}
        )


if __name__ == "__main__":
    App().run()
