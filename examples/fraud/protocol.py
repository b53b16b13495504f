"""Which days train the model and which test it, and where its files lie.

Days count from 0 and are those of the handbook's simulation, which starts on 2018-04-01.
"""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FIRESTEEL = ROOT / "build" / "bin" / "firesteel"
PIPELINE = HERE / "fraud.yaml"
MODEL = HERE / "models" / "fraud.onnx"

FIRST_DAY = "2018-04-01"
TRAIN_DAYS = range(94, 122)
#: Frauds are known after a week, so a week lies between.
DELAY_DAYS = 7
TEST_DAYS = range(129, 183)
